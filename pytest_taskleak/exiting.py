"""What keeps the process from ending once its session is over, and who made that?"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable
from typing import Any

import pytest

from pytest_taskleak import timing
from pytest_taskleak.adapt import ending, pytest_, running
from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of, line_of
from pytest_taskleak.adapt.ending import Blocker
from pytest_taskleak.adapt.standing import standing_of
from pytest_taskleak.dumping import RULE, look
from pytest_taskleak.engine.watchdog import later, write
from pytest_taskleak.explain.birth import birth_of, relative, shorten
from pytest_taskleak.model import BIRTH

MOMENT = 0.1
"""Seconds in which what is about to end may end before it is told."""
LATE = 3.0
"""Seconds after which a process that has not ended says what it waits for."""
ROUNDS = 10
"""So many times that, while pytest and its plugins are still at work."""
STDERR = 2
OVER = "the session is over, and the process does not end"


class Exiting:
    """Says at the end of a session what will keep the process from ending, and sees to it that it ends.

    Parameters:
        config: pytest's configuration.
        seconds: after which the process is ended by force, 0 for never.
    """

    def __init__(self, config: pytest.Config, seconds: float) -> None:
        self.config = config
        self.seconds = seconds
        self.session: pytest.Session | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, None, None]:
        yield
        if not self.config.pluginmanager.has_plugin("taskleak-summary"):  # which tells it for all processes
            for each in blocking(str(self.config.rootpath)):
                terminalreporter.write_line(f"taskleak: the process cannot end before this does: {each}")

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        status = int(self.session.exitstatus) if self.session is not None else 1
        end = Ending(str(self.config.rootpath), self.seconds, status)
        if pytest_.is_command():
            end.begin()
        else:  # somebody's program has run pytest, and may go on
            ending.at_exit(end.wait)


class Ending:
    """The end of a process whose session is over.

    Parameters:
        root: the project's directory, to shorten paths.
        seconds: after which the process is ended by force, 0 for never.
        status: the exit status of the session.
    """

    def __init__(self, root: str, seconds: float, status: int) -> None:
        self.root = root
        self.seconds = seconds
        self.status = status

    def begin(self) -> None:
        """Look again later, from a thread."""
        if self.seconds:
            later(self.seconds, self.end)
        if not self.seconds or self.seconds > LATE:
            later(LATE, lambda: self.late(ROUNDS))

    def late(self, rounds: int) -> None:
        """Say what the process waits for; pytest's plugins may be at work so many rounds."""
        main = threading.main_thread().ident
        if rounds and pytest_.is_command(running.frames().get(main or 0)):
            later(LATE, lambda: self.late(rounds - 1))
        else:
            self.tell(OVER)

    def wait(self) -> None:
        """Wait as the interpreter is about to, but say for what when that takes long."""
        first = min(LATE, self.seconds or LATE)
        if not still_blocked(first):
            return
        if first < LATE:
            self.end()
        self.tell(OVER)
        if self.seconds and still_blocked(self.seconds - first):
            self.end()

    def end(self) -> None:
        """Say what the process waits for, and end it."""
        self.tell(
            f"the process did not end in {self.seconds:g} s, and is ended with exit status {self.status}"
        )
        ending.end_children()  # they would keep the pipes open, and whoever reads those waiting
        os._exit(self.status)

    def tell(self, title: str) -> None:
        """Print what blocks the exit, and where every thread stands."""
        told = blocking(self.root, patience=0.0)
        lines = (
            ["it waits for", *(f"  {each}" for each in told)] if told else ["nothing is known to block it"]
        )
        text = "\n".join([*lines, *look(self.root, None).lines])
        write(STDERR, f"\n{RULE} taskleak: {title} {RULE}\n{text}\n")


def blocking(root: str, survivors: Iterable[Any] = (), *, patience: float = MOMENT) -> list[str]:
    """Return, as lines, what the interpreter would wait for.

    Parameters:
        root: the project's directory, to shorten paths.
        survivors: leaks that could not be removed; those that block the exit are told as such.
        patience: seconds in which it may still end.
    """
    found = list(ending.blockers())
    if found and patience:
        still_blocked(patience)
        found = list(ending.blockers())
    left = [survivor for survivor in survivors if survivor.blocks_exit()]
    lines = []
    for blocker in found:
        leak = next((s for s in left if any(s.thing() is thing for thing in blocker.things)), None)
        if leak is not None:
            left.remove(leak)
        lines.append(line(blocker, root, leak))
    return lines + [survivor.text for survivor in left]


def still_blocked(seconds: float) -> bool:
    """Give what blocks the exit some seconds to end; tell whether it is still there."""
    for pause in timing.backoff(seconds):
        if next(ending.blockers(), None) is None:
            return False
        timing.pause(pause)
    return next(ending.blockers(), None) is not None


def line(blocker: Blocker, root: str, leak: Any) -> str:
    """Tell of one blocker: what it is, who made it, where it stands."""
    name = blocker.name if blocker.kind != "thread" else repr(blocker.name)
    parts = [f"{blocker.kind} {name}"]
    if leak is not None:
        parts.append(leak.text.partition("' ")[2] or leak.text)
    record = next((r for thing in blocker.things if (r := getattr(thing, BIRTH, None)) is not None), None)
    birth = birth_of(record)
    site = next(iter(relative(birth.project or birth.frames, root)), None)
    if site is not None:
        parts.append(f"born {site} in {site.qualname}")
    if record is not None and leak is None:
        parts.append(f"by {record[0].owner}")
    standing = standing_of(blocker.ident) if blocker.ident else None
    if standing is not None and str(standing):
        parts.append(f"waits in {standing}{place(standing, root)}")
    return ", ".join(parts)


def place(standing: Any, root: str) -> str:
    """Return on which line of the user's or of a library a thread stands, if on any."""
    code, offset = standing.frames[-1] if standing.frames else (None, 0)
    if code is None or kind_of(code.co_filename) not in (USER, LIBRARY):
        return ""
    return f" at {shorten(code.co_filename, root)}:{line_of(code, offset)}"


def begin(config: pytest.Config, seconds: float) -> None:
    """Watch this process until its end."""
    config.pluginmanager.register(Exiting(config, seconds), "taskleak-exiting")
