"""When does a loop hear of what other threads have done, so that their speed does not matter?

What a thread gives to the loop is kept aside.  A call in a pool comes back so many turns after it began as
the seed says, if need be after a real wait; all else, and the rest of the calls, when the loop has nothing to
run and no thread is at work any more.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from pytest_taskleak.adapt import task_steps, watched
from pytest_taskleak.loops.schedule import Schedule
from pytest_taskleak.timing import now as real_now
from pytest_taskleak.timing import pause

PATIENCE = 1.0
"""Real seconds for which the loop does not hear of a thread, because another one is still at work."""
PAUSE = 0.0003
LONGEST = 64
"""Turns after which a loop that never rests hears of it all the same."""


@dataclass(slots=True, eq=False)
class Call:
    """A call in a pool.

    Parameters:
        number: which of the loop's.
        future: gets its result.
        turn: in which turn it comes back.
    """

    number: int
    future: Any
    turn: int


class Arrivals:
    """What other threads have given to one loop, and it has not heard of.

    Parameters:
        driver: the loop's.
        plan: chooses.
    """

    def __init__(self, driver: Any, plan: Schedule) -> None:
        self.driver = driver
        self.plan = plan
        self.lock = threading.RLock()  # held while it is decided who gets what is given
        self.given: list[tuple[int, Any]] = []  # ident of the thread, handle
        self.calls: list[Call] = []
        self.count = 0
        self.since = 0.0  # real time of the first of them
        self.turn = 0

    def give(self, handle: Any) -> None:
        """Keep something aside; called from any thread."""
        if not self.given:
            self.since, self.turn = real_now(), self.driver.turn
        self.given.append((threading.get_ident(), handle))

    def begin(self, future: Any) -> None:
        """Note a call in a pool that has begun."""
        turn = self.driver.turn + (self.plan.back(self.count) or LONGEST)
        self.calls.append(Call(self.count, future, turn))
        self.count += 1

    # --- hearing of it --------------------------------------------------------------------------

    def bring(self) -> None:
        """Let the loop hear of the calls whose turn it is; one that is not done yet is waited for."""
        turn = self.driver.turn
        due = [call for call in self.calls if call.turn <= turn]
        if due:
            self.calls = [call for call in self.calls if call.turn > turn]
            found = [self._wait_for(call) for call in sorted(due, key=self._order)]
            self.driver.ready.extend(handle for handle in found if handle is not None)
        if self.given and turn - self.turn > LONGEST:
            self.bring_all()

    def bring_all(self) -> None:
        """Let the loop hear of everything, that of one thread in its order; calls in pools come last."""
        calls = {id(call.future): call for call in self.calls}
        known: list[tuple[Call, Any]] = []
        others: dict[int, list[Any]] = {}
        given = self.given[:]
        del self.given[: len(given)]
        for ident, handle in given:
            call = calls.get(id(task_steps.result_of_call(watched.args_of(handle))))
            if call is not None:
                known.append((call, handle))
            else:
                others.setdefault(ident, []).append(handle)
        for handles in sorted(others.values(), key=lambda handles: self._waiter(handles[0])):
            self.driver.ready.extend(handles)
        known.sort(key=lambda pair: self._order(pair[0]))
        self.driver.ready.extend(handle for _, handle in known)
        back = {id(call) for call, _ in known}
        self.calls = [call for call in self.calls if id(call) not in back and not call.future.done()]

    def overdue(self) -> bool:
        """Tell whether what is kept aside has waited for long enough."""
        return bool(self.given) and real_now() - self.since > PATIENCE

    def at_work(self) -> bool:
        """Tell whether a thread is at work, that may give the loop something else."""
        time = self.driver.time
        sources = [getattr(time.outside, name, None) for name in ("pools", "threads")]
        with time.lock:
            return any(source is not None and source.look(time) is not None for source in sources)

    def _order(self, call: Call) -> int:
        return self.plan.back_order(call.number)

    def _waiter(self, handle: Any) -> int:
        """Return the number of the task that waits for what a thread brings; a large one if there is none."""
        return self.driver.numbering.waiting_for(watched.args_of(handle))  # type: ignore[no-any-return]

    def _wait_for(self, call: Call) -> Any:
        """Return what brings the result of a call, `None` if it will come later."""
        began = real_now()
        while not call.future.done():
            working = self.at_work()
            for place, (_, handle) in enumerate(self.given):
                if task_steps.result_of_call(watched.args_of(handle)) is call.future:
                    del self.given[place]
                    return handle
            if not working or real_now() - began > PATIENCE:
                call.turn = self.driver.turn + LONGEST
                self.calls.append(call)
                return None
            pause(PAUSE)
        return None
