"""Who acts when a phase of a test takes too long, or a process does not end?

One thread for a session sleeps until the nearest deadline.  Arming writes a number, so that a phase in
time costs nearly nothing.  At a deadline the alarm's steps are run one by one, each after a pause.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

from pytest_taskleak import timing
from pytest_taskleak.adapt import running
from pytest_taskleak.adapt.code import LOOP, PACKAGE, SKIP, kind_of

SIGNALS = ("SIGURG", "SIGALRM")
"""Signals to interrupt a thread with, the first that nobody handles: by default SIGURG is ignored."""
IDLE = 1.0
"""Seconds that the thread sleeps before anything was armed."""


class Alarm:
    """One deadline.

    Parameters:
        seconds: how long the phase may take.
        steps: called at the deadline; yields the seconds until it is to go on.
    """

    def __init__(self, seconds: float, steps: Callable[[Alarm], Iterator[float]]) -> None:
        self.seconds = seconds
        self.due = timing.now() + seconds
        self.steps = steps
        self.under_way: Iterator[float] | None = None
        self.over = False
        self.text = ""
        """What is told of the hang; empty until the deadline has passed."""

    def ended(self) -> bool:
        """Tell whether the phase is over."""
        return self.over

    def advance(self) -> None:
        """Run the next step; without one, never come back."""
        if self.under_way is None:
            self.under_way = self.steps(self)
        self.due = timing.now() + next(self.under_way, float("inf"))


class Watchdog:
    """The thread that waits for deadlines; it begins with the first of them."""

    def __init__(self) -> None:
        self.alarm: Alarm | None = None
        self.wakes = 0.0
        self.period = IDLE
        self.kick = threading.Event()
        self.thread: threading.Thread | None = None
        self.stopped = False

    def arm(self, alarm: Alarm) -> None:
        """Set the deadline that counts from now on; there is one at a time."""
        self.alarm = alarm
        self.period = alarm.seconds
        if self.thread is None:
            self.wakes = alarm.due
            self.thread = threading.Thread(target=self.run, name="taskleak-watchdog", daemon=True)
            running.start_unseen(self.thread)
        elif alarm.due < self.wakes:
            self.kick.set()

    def disarm(self) -> None:
        """Drop the deadline."""
        alarm, self.alarm = self.alarm, None
        if alarm is not None:
            alarm.over = True

    def run(self) -> None:
        """Sleep until the next deadline, again and again."""
        while not self.stopped:
            now = timing.now()
            alarm = self.alarm
            self.wakes = now + self.period if alarm is None else alarm.due
            if self.wakes > now or alarm is None:
                self.kick.wait(min(self.wakes - now, threading.TIMEOUT_MAX))
                self.kick.clear()
            else:
                alarm.advance()

    def stop(self) -> None:
        """End the thread; it may be busy with a dump, which is no reason to wait for ever."""
        self.disarm()
        self.stopped = True
        self.kick.set()
        if self.thread is not None:
            self.thread.join(IDLE)


class Interrupter:
    """Lets an exception come up in the thread that runs the tests, whatever it is doing.

    A signal also interrupts calls that wait in C.  Where there is none to be had, the interpreter is
    asked to raise, which it does as soon as the thread runs Python code again.

    Parameters:
        failure: returns what to raise, for the text of an alarm.
        kind: what is raised where only a class can be given.
        signals: names of signals, of which the first that nobody handles is used.
        instead: asked first, in the thread itself: does something better than to raise, or tells that it
            cannot.
    """

    def __init__(
        self,
        failure: Callable[[str], BaseException],
        kind: type[BaseException],
        instead: Callable[[Alarm], bool] = lambda _: False,
        *,
        signals: Sequence[str] = SIGNALS,
    ) -> None:
        self.failure = failure
        self.kind = kind
        self.instead = instead
        self.ident = threading.get_ident()
        self.alarm: Alarm | None = None
        self.force = False
        self.number: Any = None
        self.own: Any = self.handle
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "pthread_kill"):
            free = (n for name in signals if (n := getattr(signal.Signals, name, None)) is not None)
            self.number = next((n for n in free if signal.getsignal(n) is signal.SIG_DFL), None)
        if self.number is not None:
            signal.signal(self.number, self.own)

    def strike(self, alarm: Alarm, attempt: int) -> None:
        """Raise in the thread, from another one.

        Parameters:
            attempt: from 0; at the first one code of the plugin is let alone, which ends by itself as a
                rule; from the third on signals are taken to be blocked.
        """
        self.alarm, self.force = alarm, attempt > 0
        installed = self.number is not None and signal.getsignal(self.number) is self.own
        if installed and attempt <= 1:
            signal.pthread_kill(self.ident, self.number)
        elif not alarm.ended() and (self.force or not is_own(running.frames().get(self.ident))):
            running.throw(self.ident, self.kind)
            if alarm.ended():  # between the question and the answer
                running.throw(self.ident, None)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise, unless the phase has ended meanwhile."""
        alarm = self.alarm
        if alarm is None or alarm.over or (is_own(frame) and not self.force):
            return
        self.alarm = None
        if not self.instead(alarm):
            raise self.failure(alarm.text)

    def stop(self) -> None:
        """Give the signal back."""
        if self.number is not None and signal.getsignal(self.number) is self.own:
            signal.signal(self.number, signal.SIG_DFL)


def is_own(frame: FrameType | None) -> bool:
    """Tell whether the plugin's own code is what runs in a stack, the standard library's aside."""
    for each in running.stack(frame):
        path = each.f_code.co_filename
        if path.startswith(PACKAGE + os.sep):
            return True
        if kind_of(path) not in (SKIP, LOOP):
            return False
    return False


def later(seconds: float, act: Callable[[], None]) -> None:
    """Act in a daemon thread after some seconds, if the process is still there by then."""

    def wait() -> None:
        timing.pause(seconds)
        act()

    running.start_unseen(threading.Thread(target=wait, name="taskleak-exit", daemon=True))


def write(descriptor: int, text: str) -> None:
    """Write to a file descriptor past all buffers and their locks."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:  # nobody reads: there is no better place to say so
        return
