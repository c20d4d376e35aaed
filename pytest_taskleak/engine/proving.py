"""Is it worth waiting for what is left, or is it proven never to end by itself?

Asked once the loops were turned: a proof costs less than the shortest wait, and tells at once what a wait
would tell later.
"""

from __future__ import annotations

from typing import Any

from pytest_taskleak.engine.diagnosing import pending_beside
from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.engine.told import Told
from pytest_taskleak.explain.proof import prove
from pytest_taskleak.explain.timers import cancelled


class Proving:
    """Remembers, without holding any, which tasks were proven stuck: such a verdict never changes.

    Parameters:
        watch: the session of watching.
    """

    def __init__(self, watch: Any) -> None:
        self.watch = watch
        self.stuck = Told()
        self.looked = Told()

    def hopeless(self, left: list[Leftover]) -> bool:
        """Tell whether everything left needs longer than there is time for, or is proven stuck."""
        if any(item.detector.kind != "task" and self.soon(item) for item in left):
            return False
        open_ = [x for x in left if x.detector.kind == "task" and x.thing not in self.stuck and self.soon(x)]
        if any(item.thing not in self.looked for item in open_):
            self.look([item.thing for item in open_], left)
        return all(item.thing in self.stuck for item in open_)

    def soon(self, item: Leftover) -> bool:
        """Tell whether a leftover may end within the time that is left, as far as is known."""
        return bool(item.detector.patience(item.thing) <= self.watch.budget.left)

    def look(self, tasks: list[Any], left: list[Leftover]) -> None:
        """Prove what can be proven; a task that was looked at once is not looked at again."""
        own = [left, *left, *self.watch.own()]
        every = tasks + pending_beside(tasks)
        proofs = prove(every, own=[*own, tasks])
        if any(proof.verdict == "stuck" for proof in proofs.values()):
            awake = cancelled(every)
            proofs = prove(every, own=[*own, tasks], awake=awake) if awake else proofs
        for task in tasks:
            self.looked.add(task)
            if proofs[id(task)].verdict == "stuck":
                self.stuck.add(task)
