"""How is any block of code held to leave nothing behind, outside of pytest's hooks too?"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar

from pytest_taskleak.detectors import built_in, codes_of
from pytest_taskleak.diagnostics import LeakError, LeakGroup, TaskleakWarning
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.concluding import conclude
from pytest_taskleak.engine.outcome import Outcome
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.reap import reap_here
from pytest_taskleak.engine.settle import Leftover, settle_here
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.allow import Rule, RuleError, parse, singular, suggestion
from pytest_taskleak.judge.policy import GRACE, Policy
from pytest_taskleak.model import Finding, Verdict
from pytest_taskleak.report import text

Function = TypeVar("Function", bound=Callable[..., Any])


class no_leaks:  # noqa: N801 -- read as a verb: with no_leaks(): ...
    """Hold a block to leave nothing behind: `with`, `async with`, or as a decorator.

    Parameters:
        detect: the kinds to watch; all by default.
        allow: rules of what may be left behind, as `"task:poller-*"`.
        grace: seconds to wait for what something outside is about to finish.
        mode: `fail` raises, `warn` issues a `TaskleakWarning`.

    Raises:
        LeakGroup: on leaving the block; its parts are `LeakError`, each with its `finding`. If the
            block raised by itself, that exception stays, with the leaks as a note.
        ValueError: an argument is not allowed.
    """

    def __init__(
        self,
        *,
        detect: Iterable[str] | None = None,
        allow: str | Iterable[str] = (),
        grace: float = GRACE,
        mode: Literal["fail", "warn"] = "fail",
    ) -> None:
        if mode not in ("fail", "warn"):
            raise ValueError(f"no_leaks: mode must be one of fail, warn - got {mode!r}")
        seconds: object = grace
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not 0 <= seconds < float("inf")
        ):
            raise ValueError(f"no_leaks: grace must be seconds, 0 or more - got {grace!r}")
        kinds = [d.kind for d in built_in() if not d.measured]  # a block is no module
        given: object = allow
        if not isinstance(given, str | list | tuple | set | frozenset):
            # A ValueError, as for every other bad argument.
            raise ValueError(f"no_leaks: allow must be a rule or several - got {given!r}")  # noqa: TRY004 -- see above
        rules = [allow] if isinstance(allow, str) else list(allow)
        self.policy = Policy(
            mode=mode,
            grace=grace,
            detect=frozenset(checked(detect, kinds)),
            rules=tuple(readable(r, kinds) for r in rules),
            levels={name: code.level for name, code in codes_of(built_in()).items()},
        )
        self._entered: list[tuple[Watch, Scope, Any]] = []

    def __enter__(self) -> None:
        watch = Watch(built_in(), self.policy, name="no_leaks", root=_root())
        begin(watch)
        scope = Scope("block", "no_leaks", parent=watch.session, watch=watch)
        watch.running = scope
        watch.enter(scope)
        self._entered.append((watch, scope, None))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        watch, scope, _ = self._entered.pop()
        try:
            verdict = watch.close(scope)
        finally:
            watch.stop()
        self._tell(verdict, error)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        watch, scope, _ = self._entered.pop()
        policy = watch.policy_of(scope)
        leaks: list[Leftover] = []

        def later(left: Sequence[Leftover]) -> Outcome:
            leaks.extend(left)
            return Outcome()

        try:
            watch.finish(scope)
            await settle_here(lambda: watch.unruled(scope, policy), watch.budget)
            watch.charge()
            verdict = conclude(watch, scope, policy, later)
            await reap_here(leaks)
        finally:
            watch.stop()
        self._tell(verdict, error)

    def __call__(self, function: Function) -> Function:
        """Hold every call of a function, or of a coroutine function, to leave nothing behind."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def held_coroutine(*args: Any, **options: Any) -> Any:
                async with self._again():
                    return await function(*args, **options)

            return held_coroutine  # type: ignore[return-value]

        @functools.wraps(function)
        def held(*args: Any, **options: Any) -> Any:
            with self._again():
                return function(*args, **options)

        return held  # type: ignore[return-value]

    def _again(self) -> no_leaks:
        """Return a block of the same settings, for one call."""
        block = object.__new__(type(self))
        block.policy = self.policy
        block._entered = []
        return block

    def _tell(self, verdict: Verdict, error: BaseException | None) -> None:
        __tracebackhide__ = True
        failing, warned = verdict.level("fail"), verdict.level("warn")
        if error is not None:
            if failing or warned:
                error.add_note(f"taskleak: {told(failing + warned)}")
            return
        if warned:
            import warnings

            warnings.warn(TaskleakWarning(told(warned)), stacklevel=3)
        if failing:
            raise LeakGroup(text.headline(failing), [LeakError(text.block(f), f) for f in failing])


def told(findings: Sequence[Finding]) -> str:
    """Return a headline with the findings below it."""
    body = "\n\n".join(text.block(f) for f in findings)
    return f"{text.headline(findings)}\n\n{body}"


def readable(rule: object, kinds: Sequence[str]) -> Rule:
    """Return a rule, or say whose rule cannot be read."""
    try:
        return parse(rule, origin="no_leaks", kinds=kinds, codes=list(codes_of(built_in())))
    except RuleError as error:
        raise RuleError(f"no_leaks: {error}") from None


def checked(detect: Iterable[str] | None, kinds: Sequence[str]) -> Iterable[str]:
    """Return the kinds that are meant, or say what is allowed."""
    if detect is None:
        return kinds
    given: object = detect
    if not isinstance(given, str | list | tuple | set | frozenset):
        message = f"no_leaks: detect must name kinds of {', '.join(kinds)} - got {given!r}"
        raise ValueError(message)  # noqa: TRY004 -- as for every other bad argument
    words = [detect] if isinstance(detect, str) else list(detect)
    for word in words:
        if singular(word, kinds) not in kinds:
            close = suggestion(word, kinds)
            raise ValueError(f"no_leaks: detect must name kinds of {', '.join(kinds)} - got {word!r}{close}")
    return [singular(word, kinds) for word in words]


def _root() -> str:
    import os

    return os.getcwd()
