"""What happens when a scope closes: look, settle, adopt, judge, explain, remove.

A `Watch` is one session of watching: a pytest run, or one `no_leaks` block.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from types import CodeType
from typing import TYPE_CHECKING, Any, get_args

from pytest_taskleak.adapt.spinning import noting
from pytest_taskleak.detectors.base import Detector, Ending
from pytest_taskleak.diagnosis import NONE_REAPED
from pytest_taskleak.engine import owner
from pytest_taskleak.engine.claims import Claims
from pytest_taskleak.engine.collecting import collect
from pytest_taskleak.engine.concluding import conclude
from pytest_taskleak.engine.explaining import explain
from pytest_taskleak.engine.growth import Growth
from pytest_taskleak.engine.kinds import needed, readers
from pytest_taskleak.engine.losses import LOSSES, charge
from pytest_taskleak.engine.owner import OWNER, Scope
from pytest_taskleak.engine.patch import PATCHES, Closing, Ended
from pytest_taskleak.engine.reap import reap, tasks_of
from pytest_taskleak.engine.settle import Budget, Leftover, settle
from pytest_taskleak.engine.sparing import Spared
from pytest_taskleak.engine.survivor import Survivor
from pytest_taskleak.engine.told import Told
from pytest_taskleak.engine.verdicts import NOTHING, rule_for
from pytest_taskleak.judge.policy import Policy, is_mild, level
from pytest_taskleak.model import Finding, Verdict

if TYPE_CHECKING:
    from pytest_taskleak.engine.proving import Proving

MOMENT = 0.02
"""Seconds that each scope gets, even after another one of the same test has used up the grace."""
COLLECTING = 1.0
"""Seconds that a session may spend on collections that could only help an explanation."""
Consult = Callable[[Finding], str | None]


class Watch:
    """One session of watching.

    Parameters:
        detectors: the kinds that are watched.
        policy: what holds where a scope has no policy of its own.
        root: the project's directory, to shorten paths.
        name: what the session's owner is called.
        consult: asked for each leak that no rule allows; a reason allows it.
    """

    def __init__(
        self,
        detectors: Iterable[Detector],
        policy: Policy,
        *,
        root: str = "",
        name: str = "",
        consult: Consult = lambda _: None,
    ) -> None:
        self.detectors = {d.kind: d for d in detectors}
        self.readers = readers(self.detectors.values())
        self.policy = policy
        self.root = root
        self.consult = consult
        self.session = Scope("session", name, range="session", watch=self)
        self.harness = Scope("session", "plugins", range="session", watch=self)
        self.budget = Budget(policy.grace)
        self.told = Told()
        self.claims = Claims(self.session)
        self.late: list[Scope] = []
        self.revenants: list[Scope] = []
        self.survivors: list[Survivor] = []
        self.reaped = NONE_REAPED
        self.faults: list[str] = []
        self.unowned: list[Finding] = []
        self.used: set[str] = set()
        self.spared = Spared()
        self.ruled: set[str] = set()
        self.tied = {
            ending: {d.kind for d in self.detectors.values() if ending in d.tied}
            for ending in get_args(Ending)
        }
        self.of_loops = [
            d for d in self.detectors.values() if type(d).on_loop is not Detector.on_loop
        ]  # those of which a loop itself knows something
        self.openers = [d.opened for d in self.detectors.values() if type(d).opened is not Detector.opened]
        self.tying = False  # something of a tied kind was born
        self.lock = threading.RLock()
        self.notes: list[Finding] = []
        self.growth = Growth(self)
        self.running: Scope | None = None
        self.fixtures: Callable[[], Iterable[Scope]] = tuple
        self.code_of: Callable[[Scope], CodeType | None] = lambda _: None
        self.own: Callable[[], Sequence[Any]] = tuple  # what the harness holds of scopes that are over
        self.collecting = COLLECTING
        self.folder = ""  # where drawings of references go, if they are asked for
        self.kept_values: Callable[[], list[tuple[str, Any]]] = list  # live objects of the harness, named
        self.bereaved: set[Any] = set()  # owners of whom something ended with an exception that was lost
        self.phase = self.session
        self.awake = True

    # --- phases ---------------------------------------------------------------------------------

    def start(self, closing: Closing, ended: Ended) -> None:
        """Begin to watch: install the patches, and answer for what nobody else made.

        Parameters:
            closing: called when a loop is about to cancel its tasks or to be closed.
            ended: called when a loop of another library than asyncio ends over things of a kind.
        """
        self.endings = closing, ended
        PATCHES.install(needed(self.detectors.values(), self.policy.detect), closing, ended)
        owner.watches.append(self)
        self.token = OWNER.set(self.session)

    def widen(self, kinds: Collection[str]) -> None:
        """See the births of further kinds, which a marker asks for."""
        if self.awake:
            PATCHES.also(needed(self.detectors.values(), kinds), self.endings[1])

    def stop(self) -> None:
        """Stop watching and put everything back."""
        self.awake = False
        owner.watches.remove(self)
        try:
            OWNER.reset(self.token)
        except ValueError:  # stopped in another context than the one it was started in
            OWNER.set(None)
        PATCHES.uninstall()

    def enter(self, scope: Scope) -> None:
        """Let `scope` answer for what is made from here on; a block inside answers for its own."""
        self.phase = scope
        if owner.watches[-1] is self:
            OWNER.set(scope)

    # --- looking --------------------------------------------------------------------------------

    def live(self, scope: Scope, policy: Policy) -> list[Leftover]:
        """Return what was born in a scope, lives, and was not told yet."""
        found: list[Leftover] = []
        seen: set[int] = set()
        for kind, births in tuple(scope.births.items()):
            present = [(entry, thing) for entry in tuple(births) if (thing := entry()) is not None]
            for detector in self.readers.get(kind, ()) if present else ():
                if detector.kind not in policy.detect:
                    continue
                try:
                    for entry, thing in present:
                        if not detector.alive(thing):
                            continue
                        if thing not in self.told and id(thing) not in seen:
                            seen.add(id(thing))
                            found.append(Leftover(detector, thing, entry.birth))
                except Exception:  # noqa: BLE001 -- the watcher's own fault must not become the user's
                    self.switch_off(detector)
        return found

    def switch_off(self, detector: Detector) -> None:
        """Stop using a detector that raised, and say so once."""
        if self.detectors.pop(detector.kind, None) is None:
            return
        self.readers = readers(self.detectors.values())
        self.of_loops = [d for d in self.of_loops if d is not detector]
        self.faults.append(
            f"TL901 the detector of {detector.kind}s raised and is off for the rest of the session; "
            f"this is a fault of pytest-taskleak, please report it:\n{traceback.format_exc()}"
        )

    # --- closing --------------------------------------------------------------------------------

    def close(self, scope: Scope, *, final: bool = True) -> Verdict:
        """Judge what a scope leaves behind, from outside any running loop."""
        if final:
            self.finish(scope)
        if LOSSES.queue:
            self.charge()
        if not scope.births and not scope.findings:
            return NOTHING
        try:
            return self.judge(scope)
        except Exception:  # noqa: BLE001 -- a fault of the watcher must not become the user's
            self.faults.append(f"TL901 a scope could not be judged:\n{traceback.format_exc()}")
            return NOTHING
        finally:
            if final:
                scope.births.clear()  # what is born for it from now on is noticed as new

    def charge(self) -> None:
        """Write down under their makers what was lost since the last look."""
        self.unowned += charge(LOSSES, self)

    def judge(self, scope: Scope) -> Verdict:
        """Settle what is left of a scope, and conclude."""
        policy = self.policy_of(scope)
        left = self.live(scope, policy)
        if not left and not scope.findings:
            return NOTHING
        if policy.mode != "off" and left:
            guard = noting(tasks_of(left))
            del left
            with guard:
                hopeless = self.hopeless
                settle(lambda: self.unruled(scope, policy), self.grant(policy), hopeless=hopeless)
            del guard
            collect(self, lambda: self.unruled(scope, policy))
        return conclude(self, scope, policy, reap)

    def hopeless(self, left: list[Leftover]) -> bool:
        """Tell whether nothing of what is left is worth waiting for; a look that fails tells nothing."""
        try:
            return self.proving.hopeless(left)
        except Exception:  # noqa: BLE001 -- without a proof it is waited for
            return False

    @cached_property
    def proving(self) -> Proving:
        """What was proven so far; loaded when something is left."""
        from pytest_taskleak.engine.proving import Proving

        return Proving(self)

    @cached_property
    def searching(self) -> Any:
        """The time that may be spent on the search for who keeps what is left."""
        from pytest_taskleak.explain.retention import Budget as Searching

        return Searching()

    def grant(self, policy: Policy) -> Budget:
        """Return the budget of the running test; however much was spent, a moment is left."""
        self.budget.left = max(self.budget.left, min(MOMENT, policy.grace))
        return self.budget

    def unruled(self, scope: Scope, policy: Policy) -> list[Leftover]:
        """Return what is left but what a rule allows and what is a mere note: nobody waits for that."""
        left = [x for x in self.live(scope, policy) if not is_mild(x.detector.kind, x.detector.codes, policy)]
        if not left or not (policy.rules or policy.expect):
            return left
        return [
            item
            for item, f in explain(left, scope, self.root, broken=self.switch_off)
            if rule_for(f, policy) is None
        ]

    def revive(self) -> Iterable[Scope]:
        """Return the closed scopes for which something was born afterwards, at the end of a session."""
        found, self.revenants = self.revenants, []
        return found

    def finish(self, scope: Scope) -> None:
        """Mark a scope as closed: what is born for it from now on is late."""
        scope.closed = True
        if scope.kind == "fixture":
            self.claims.forget(scope)

    def policy_of(self, scope: Scope) -> Policy:
        """Return the policy that holds for a scope."""
        policy: Policy = scope.policy or self.policy
        return policy

    def scopes(self) -> list[Scope]:
        """Return the scopes that are open."""
        running = () if self.running is None else (self.running,)
        return [self.session, self.harness, *self.fixtures(), *running]

    def decide(self, finding: Finding, policy: Policy) -> Finding | None:
        """Return a finding with its severity or the rule that allows it, `None` if it is ignored."""
        rule = rule_for(finding, policy)
        if rule is not None:
            self.used.add(str(rule))
            return replace(finding, rule=str(rule))
        severity = level(finding, policy)
        if severity == "ignore":
            return None
        reason = self.consult(finding)
        return replace(finding, severity=severity, rule=reason)

    def tainted(self) -> list[str]:
        """Name what earlier scopes left behind and could not be removed."""
        self.survivors = [survivor for survivor in self.survivors if survivor.harms()]
        return [survivor.text for survivor in self.survivors]
