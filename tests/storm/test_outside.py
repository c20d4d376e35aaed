"""Is what reaches past the simulated loop refused, and nothing else?"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from pytest_taskleak.adapt.outside import WAYS, Outside
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.sweep import Sweep


def a_thread() -> None:
    """Start a thread."""
    threading.Thread(target=print).start()


def a_child() -> None:
    """Start a process."""
    subprocess.Popen([sys.executable, "-c", ""]).wait()


def a_connection() -> None:
    """Connect, and wait for it."""
    with socket.socket() as client:
        client.connect(("127.0.0.1", 9))


def a_listener() -> None:
    """Take a port."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))


BREAKS: dict[str, Callable[[], None]] = {
    "threading.Thread.start()": a_thread,
    "subprocess.Popen()": a_child,
    "socket.connect()": a_connection,
    "socket.bind()": a_listener,
}


@pytest.mark.parametrize("what", BREAKS)
def test_it_is_refused_with_the_way_out(what: str) -> None:
    class Service:
        async def start(self) -> None:
            BREAKS[what]()

        async def stop(self) -> None:
            return

    report = Sweep(maker(Service), None, "Service", ("stop",)).sweep()
    (cause,) = [cause for cause in report.causes if cause.oracle == "N"]
    assert what in cause.text
    assert 'mode="real"' in cause.text


def test_everything_is_put_back() -> None:
    before = [kind.__dict__.get(name) for kind, name, _ in WAYS]
    outside = Outside()
    outside.install()
    assert [kind.__dict__.get(name) for kind, name, _ in WAYS] != before
    outside.uninstall()
    assert [kind.__dict__.get(name) for kind, name, _ in WAYS] == before


def test_other_loops_and_threads_reach_outside() -> None:
    outside = Outside()
    outside.install()
    try:

        async def main() -> None:
            thread = threading.Thread(target=a_listener)
            thread.start()
            await asyncio.to_thread(thread.join)

        asyncio.run(main())
        a_listener()
    finally:
        outside.uninstall()
