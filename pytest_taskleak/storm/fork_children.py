"""Which processes make runs, how is heard of them, and how does each one end for certain?"""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import signal
import threading
from dataclasses import dataclass, field
from os import kill  # the real one: in a storm, os.kill is the simulated process's
from typing import Any, NoReturn

from pytest_taskleak.adapt import forks
from pytest_taskleak.storm.plan import Plan
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.verdicts import Violation
from pytest_taskleak.timing import now as real_now


class ForkRefused(RuntimeError):
    """This process cannot be forked safely."""


class ForkFailed(RuntimeError):
    """A child has not sent back what came of its run."""


@dataclass(slots=True)
class Child:
    """A process that makes one run.

    Parameters:
        pid: its number.
        plan: the run.
        until: the real time at which it is killed.
        heard: what it has sent until now.
    """

    pid: int
    plan: Plan
    until: float
    heard: bytearray = field(default_factory=bytearray)


class Children:
    """The processes that are under way; each one is reaped, whatever comes.

    Parameters:
        most: so many may live at once.
        seconds: real ones that each may take.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.most, self.seconds = most, seconds
        self.alive: dict[int, Child] = {}
        self.answers: dict[Plan, Outcome] = {}
        self._selector = selectors.DefaultSelector()

    def split(self, plan: Plan) -> int | None:
        """Fork; return in the child where it is to write its answer, and `None` in the parent.

        Raises:
            ForkRefused: a thread has been started since.
        """
        while len(self.alive) >= self.most:
            self.listen()
        if threading.active_count() > 1:
            raise ForkRefused(refused())
        ear, mouth = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(ear)
            self.alive.clear()
            return mouth
        os.close(mouth)
        self.alive[ear] = Child(pid, plan, real_now() + self.seconds)
        self._selector.register(ear, selectors.EVENT_READ)
        return None

    def listen(self) -> None:
        """Wait until a child says something, or has taken too long."""
        first = min(child.until for child in self.alive.values())
        for key, _ in self._selector.select(max(0.0, first - real_now())):
            data = os.read(key.fd, 1 << 16)
            if data:
                self.alive[key.fd].heard += data
            else:
                child = self._bury(key.fd)
                self.answers[child.plan] = outcome_of(child)
        for ear, child in list(self.alive.items()):
            if real_now() >= child.until:
                self._bury(ear)
                self.answers[child.plan] = Outcome(child.plan, hit=True, violations=[self._stuck()])

    def finish(self) -> None:
        """Wait for all of them."""
        while self.alive:
            self.listen()

    def close(self) -> None:
        """Kill and reap those that are left."""
        for ear in list(self.alive):
            self._bury(ear)
        self._selector.close()

    def _bury(self, ear: int) -> Child:
        """Reap a child that has said all, or will be heard no more."""
        child = self.alive.pop(ear)
        self._selector.unregister(ear)
        os.close(ear)
        with contextlib.suppress(ChildProcessError):  # others may reap all children
            if not os.waitpid(child.pid, os.WNOHANG)[0]:
                kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
        return child

    def _stuck(self) -> Violation:
        return Violation(
            "V", f"it did not come back to the loop within {self.seconds:g} real seconds", where="no return"
        )


def answer(mouth: int, outcome: Any) -> NoReturn:
    """Send what came of a run, and end this process without a word to anybody else."""
    try:
        try:
            data = pickle.dumps(outcome)
        except Exception as error:  # noqa: BLE001 -- told where it can be
            data = pickle.dumps(repr(error))
        while data:
            data = data[os.write(mouth, data) :]
    finally:
        os._exit(0)


def outcome_of(child: Child) -> Outcome:
    """Return what a child has sent.

    Raises:
        ForkFailed: it has died, or its run has raised what no run may.
    """
    try:
        found = pickle.loads(bytes(child.heard))  # noqa: S301 -- from our own child
    except (EOFError, pickle.UnpicklingError):
        found = "it died"
    if not isinstance(found, Outcome):
        raise ForkFailed(f"the run of {child.plan} in a forked process: {found}")
    return found


def refused(reason: str = "") -> str:
    """Say why there is no forking, and what to do instead."""
    why = reason or forks.hindrance()
    return f'a storm cannot fork here: {why}; with mode="sim" each run starts from the beginning'
