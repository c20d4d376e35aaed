"""Is what reaches past the simulated loop refused, and nothing else?"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from pytest_taskleak.adapt.outside import WAYS, Outside
from pytest_taskleak.adapt.outside_signals import ANSWERS, REFUSED
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


def a_signal() -> None:
    """Send a signal to another process."""
    os.kill(os.getppid(), 0)


BREAKS: dict[str, Callable[[], object]] = {
    "threading.Thread.start()": a_thread,
    "subprocess.Popen()": a_child,
    "socket.connect()": a_connection,
    "socket.bind()": a_listener,
    "os.kill() of another process": a_signal,
    "signal.set_wakeup_fd(), which is a loop's own business,": lambda: signal.set_wakeup_fd(-1),
}
if os.name != "nt":
    BREAKS |= {
        "signal.setitimer(), in place of loop.call_later(),": lambda: signal.setitimer(signal.ITIMER_PROF, 0),
        "signal.alarm(), in place of loop.call_later(),": lambda: signal.alarm(0),
        "signal.pthread_sigmask()": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "os.killpg()": lambda: os.killpg(os.getpgrp(), 0),
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
    def now() -> list[object]:
        functions = [vars(sys.modules[module]).get(name) for module, name in (*ANSWERS, *REFUSED)]
        return [kind.__dict__.get(name) for kind, name, _ in WAYS] + functions

    before = now()
    outside = Outside()
    outside.install()
    assert all(one is not other or one is None for one, other in zip(now(), before, strict=True))
    outside.uninstall()
    assert now() == before


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
