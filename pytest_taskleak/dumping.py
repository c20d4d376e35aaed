"""What does a running session print when it is asked what everything waits for, and where?"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import Any

import pytest

from pytest_taskleak.adapt import running, signals
from pytest_taskleak.diagnosis import Graph, Snapshot
from pytest_taskleak.engine.watchdog import write

RULE = "=" * 20
PATIENCE = 1.0
"""Seconds in which what was captured must have been let out."""
LONGEST_LOOK = 5.0
"""Seconds that a signal handler waits for a look."""
CONSOLE: pytest.StashKey[Console] = pytest.StashKey()


class Console:
    """The real stderr: what is written there is not captured.

    Parameters:
        config: pytest's configuration; while it is configured nothing is captured.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        try:
            self.descriptor = os.dup(2)
        except OSError:  # there is no stderr
            self.descriptor = -1
        config.add_cleanup(self.close)

    @classmethod
    def of(cls, config: pytest.Config) -> Console:
        """Return the one of a run."""
        if CONSOLE not in config.stash:
            config.stash[CONSOLE] = cls(config)
        return config.stash[CONSOLE]

    def close(self) -> None:
        """Give the descriptor back."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1

    def write(self, title: str, text: str) -> None:
        """Print a block, past pytest's capturing and past all locks."""
        if self.descriptor >= 0:
            write(self.descriptor, f"\n{RULE} {title} {RULE}\n{text}\n")

    def say(self, line: str) -> None:
        """Print a line, in the same way."""
        if self.descriptor >= 0:
            write(self.descriptor, f"taskleak: {line}\n")

    def flush(self) -> None:
        """Let out what pytest has captured and buffered; from a thread, for a lock may be held for ever."""

        def let_out() -> None:
            capture: Any = self.config.pluginmanager.get_plugin("capturemanager")
            if capture is not None:
                capture.suspend_global_capture(in_=True)
                for name, text in zip(("stdout", "stderr"), capture.read_global_capture(), strict=True):
                    if text:
                        print(f"{RULE} captured {name} {RULE}\n{text}", file=sys.stderr)  # noqa: T201
            sys.stdout.flush()
            sys.stderr.flush()

        thread = threading.Thread(target=let_out, name="taskleak-flush", daemon=True)
        running.start_unseen(thread)
        thread.join(PATIENCE)


class Dump:
    """Prints what everything waits for when a signal comes, and lets the session go on.

    Parameters:
        config: pytest's configuration.
        console: where it is printed.
        name: the signal's, as `SIGUSR1`.
    """

    def __init__(self, config: pytest.Config, console: Console, name: str) -> None:
        self.console = console
        self.root = str(config.rootpath)
        self.name = name
        self.number = signal.Signals[name]
        self.item = ""
        self.own: Any = self.handle
        self.before = self.install(self.own)
        config.add_cleanup(self.restore)

    def install(self, handler: Any) -> Any:
        """Set the handler of the signal; return the one before."""
        with signals.quietly():
            return signal.signal(self.number, handler)

    def restore(self) -> None:
        """Put the handler back, unless somebody else has set one."""
        if signal.getsignal(self.number) is self.own:
            self.install(signal.SIG_DFL if self.before is None else self.before)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.item = nodeid

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        self.item = ""

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Print a look; called in the main thread, whatever that does."""
        where = f"during {self.item}" if self.item else "between tests"
        lines = look_aside(self.root, frame, culprit=False).lines
        self.console.write(f"taskleak: {self.name}", "\n".join([f"{where}, everything stands here:", *lines]))


def begin(config: pytest.Config, name: str) -> None:
    """Print a look at everything on a signal, where this thread may install a handler.

    Raises:
        pytest.UsageError: it may not, as the main thread alone can.
    """
    if threading.current_thread() is not threading.main_thread():
        raise pytest.UsageError(f"taskleak: {name} can only be handled where pytest runs in the main thread")
    ready()
    config.pluginmanager.register(Dump(config, Console.of(config), name), "taskleak-dump")


def ready() -> None:
    """Import now what a look needs: when something hangs, an import may hang with it."""
    from pytest_taskleak.engine import snapshot
    from pytest_taskleak.report import story

    del snapshot, story


def look(root: str, ident: int | None, tops: dict[int, FrameType] | None = None) -> Snapshot:
    """Look at everything; a fault of ours must not keep the test from being ended."""
    try:
        from pytest_taskleak.engine.snapshot import snapshot
        from pytest_taskleak.report.story import stories

        return snapshot(root=root, ident=ident, frames=tops, stories=stories)
    except Exception:  # noqa: BLE001 -- see above
        return Snapshot(["TL901 it could not be seen why:", traceback.format_exc()], Graph())


def look_aside(root: str, frame: FrameType | None, *, culprit: bool = True) -> Snapshot:
    """Look at everything from another thread, while this one stands in a signal handler.

    Parameters:
        root: the project's directory, to shorten paths.
        frame: where this thread was interrupted.
        culprit: whether this thread hangs, so that what it waits for is told first.
    """
    ident, found = threading.get_ident(), []

    def do() -> None:
        tops = running.frames()
        tops.pop(threading.get_ident(), None)
        if frame is not None:
            tops[ident] = frame
        found.append(look(root, ident if culprit else None, tops))

    thread = threading.Thread(target=do, name="taskleak-look", daemon=True)
    running.start_unseen(thread)
    thread.join(LONGEST_LOOK)
    return found[0] if found else Snapshot(["it took too long to see why"], Graph())
