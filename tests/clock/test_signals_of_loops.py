"""Which signals does a loop handle, and is one of them on its way?"""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pytest_taskleak.adapt import wires

posix = pytest.mark.skipif(sys.platform == "win32", reason="no signal handlers of loops")
LOOPS: dict[str, Callable[[], Any]] = {"asyncio": asyncio.new_event_loop}
if importlib.util.find_spec("uvloop"):
    LOOPS["uvloop"] = importlib.import_module("uvloop").new_event_loop


@posix
@pytest.mark.parametrize("name", LOOPS)
def test_signals_of_a_loop(name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert wires.signals_of(loop) == []
        loop.add_signal_handler(signal.SIGUSR1, print)
        try:
            assert wires.signals_of(loop) == [signal.SIGUSR1]
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)
        assert wires.signals_of(loop) == []

    with asyncio.Runner(loop_factory=LOOPS[name]) as runner:
        runner.run(main())


BLOCKED = """
import os, signal
from pytest_taskleak.adapt.signals import on_their_way

wanted = {signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
os.kill(os.getpid(), signal.SIGUSR1)
print(on_their_way([signal.SIGUSR1]), on_their_way([signal.SIGUSR2]), on_their_way([]))
signal.sigwait(wanted)
print(on_their_way([signal.SIGUSR1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="told on Linux only")
def test_only_the_signals_that_are_asked_for() -> None:
    """One that nobody takes, because every thread blocks it, must not make time stand for ever."""
    done = subprocess.run([sys.executable, "-P", "-c", BLOCKED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False", "False"]
