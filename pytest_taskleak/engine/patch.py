"""Which attributes are replaced while somebody watches, and how is each put back?

The births of a kind are its detector's patches; those that carry the owner and those that see a
loop close are here.  A replacement that others have wrapped since stays in their chain and does
nothing there: every one passes straight through while nobody watches.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_taskleak.adapt import anyio as anyio_
from pytest_taskleak.adapt import asyncio_, futures
from pytest_taskleak.adapt.imports import Noticer
from pytest_taskleak.detectors.base import Detector, Ending, Patch
from pytest_taskleak.engine import owner
from pytest_taskleak.engine.losses import LOSSES, Recording
from pytest_taskleak.engine.owner import OWNER
from pytest_taskleak.model import BIRTH

_ABSENT = object()
Closing = Callable[[Any, Ending], bool]
Ended = Callable[[str, Iterable[Any], Ending], None]


@dataclass(frozen=True, slots=True)
class _Installed:
    target: Any
    attribute: str
    before: Any
    ours: Any

    def undo(self) -> None:
        """Put back what was there, unless somebody has replaced ours meanwhile."""
        if vars(self.target).get(self.attribute) is not self.ours:
            return
        if self.before is _ABSENT:
            delattr(self.target, self.attribute)
        else:
            setattr(self.target, self.attribute, self.before)


class Patches:
    """All patches of one watch; several watches share them and the last one undoes them."""

    def __init__(self) -> None:
        self.users = 0
        self.table: list[Patch] = []
        self.seen: list[Detector] = []
        self.noticer = Noticer(self.refresh)
        self.installed: dict[tuple[int, int], _Installed] = {}
        self.modules = 0
        self.lock = threading.RLock()

    def install(self, detectors: Iterable[Detector], closing: Closing, ended: Ended | None = None) -> None:
        """Install what is not installed yet, for one more user.

        Parameters:
            detectors: the kinds whose births are to be seen.
            closing: called before a loop of asyncio ends.
            ended: called before a loop of another library ends.
        """
        with self.lock:
            self.users += 1
            if self.users == 1:
                self.table = [*own_patches(closing)]
                LOSSES.install()
                self.noticer.install()
            self.also(detectors, ended)

    def also(self, detectors: Iterable[Detector], ended: Ended | None) -> None:
        """Install the patches of further kinds, for a user that is there already."""
        with self.lock:
            for detector in detectors:
                if detector not in self.seen:
                    self.seen.append(detector)
                    self.table += detector.patches(Recording(tied=bool(detector.tied), ended=ended))
            self.noticer.names = frozenset(name for patch in self.table for name in patch.after)
            self._apply()

    def refresh(self) -> None:
        """Patch what was imported since; costs one comparison where nothing was."""
        if len(sys.modules) != self.modules:
            with self.lock:
                self._apply()

    def _apply(self) -> None:
        self.modules = len(sys.modules)
        for patch in self.table:
            for target in patch.targets():
                key = (id(target), id(patch))
                if key not in self.installed and hasattr(target, patch.attribute):
                    self.installed[key] = _replace(target, patch)

    def missing(self) -> list[str]:
        """Return what cannot be seen here because a patch found no place."""
        found = {installed.attribute for installed in self.installed.values()}
        return sorted({p.without for p in self.table if p.attribute not in found and [*p.targets()]})

    def uninstall(self) -> None:
        """Undo everything when the last user leaves."""
        with self.lock:
            self.users -= 1
            if self.users == 0:
                for installed in reversed(self.installed.values()):
                    installed.undo()
                self.installed.clear()
                self.table.clear()
                self.seen.clear()
                self.noticer.uninstall()
                LOSSES.uninstall()


def _replace(target: Any, patch: Patch) -> _Installed:
    before = vars(target).get(patch.attribute, _ABSENT)
    original = getattr(target, patch.attribute)
    ours = functools.update_wrapper(patch.wrap(original), original)
    setattr(target, patch.attribute, ours)
    return _Installed(target, patch.attribute, before, ours)


PATCHES = Patches()


def own_patches(closing: Closing) -> Iterator[Patch]:
    """Yield the patches that carry the owner, and those that see a loop close.

    Parameters:
        closing: called with a loop and `"cancel"` or `"close"` before that happens; returns whether
            it has cancelled what was left itself.
    """

    def wrap_cancel_all(original: Callable[..., None]) -> Callable[..., None]:
        def _cancel_all_tasks(loop: Any) -> None:
            if not owner.watches or not closing(loop, "cancel"):
                original(loop)

        return _cancel_all_tasks

    def wrap_close(original: Callable[..., None]) -> Callable[..., None]:
        def close(loop: Any) -> None:
            if owner.watches and not loop.is_closed() and sys._getframe(1).f_code.co_name != "__del__":
                closing(loop, "close")
            original(loop)

        return close

    yield Patch(lambda: [asyncio.runners], "_cancel_all_tasks", wrap_cancel_all, "tasks cut off by runners")
    yield Patch(
        asyncio_.loop_classes,
        "close",
        wrap_close,
        "what is pending when a loop closes",
        after=asyncio_.UVLOOP,
    )
    yield Patch(lambda: [asyncio.Runner], "run", wrap_runner, "owners of what a shared Runner runs")
    yield Patch(
        isolated_cases, "run", wrap_case, "owners in IsolatedAsyncioTestCase", after=("unittest.async_case",)
    )
    step, name = "_call_in_runner_task", "owners in anyio's runner"
    yield Patch(anyio_.runners, step, anyio_.carry(OWNER), name, after=(anyio_.BACKEND,))
    run, after = "_run_tests_and_fixtures", (anyio_.TRIO_BACKEND,)
    yield Patch(anyio_.trio_runners, run, anyio_.note_task, name, after=after)
    yield Patch(anyio_.trio_runners, step, anyio_.carry_to_trio(OWNER), name, after=after)
    yield Patch(futures.work_items, "run", wrap_work, "owners in executors")


def wrap_runner(original: Callable[..., Any]) -> Callable[..., Any]:
    """Set the owner in a runner's own context, which is as old as its first use."""

    def run(self: asyncio.Runner, coro: Any, *, context: Any = None) -> Any:
        if context is None and owner.watches:
            self.get_loop()
            PATCHES.refresh()
            own = getattr(self, "_context", None)
            if own is not None:
                own.run(OWNER.set, owner.current())
        return original(self, coro, context=context)

    return run


def wrap_work(original: Callable[..., None]) -> Callable[..., None]:
    """Let an executor's thread work on behalf of whoever submitted the call."""

    def run(item: Any, *args: Any) -> None:
        birth = getattr(getattr(item, "future", None), BIRTH, None)
        if birth is None:
            original(item, *args)
            return
        token = OWNER.set(birth[0])
        try:
            original(item, *args)
        finally:
            OWNER.reset(token)

    return run


def isolated_cases() -> list[type]:
    """Return unittest's class with a loop of its own, once somebody has imported it."""
    module = sys.modules.get("unittest.async_case")
    return [] if module is None else [module.IsolatedAsyncioTestCase]


def wrap_case(original: Callable[..., Any]) -> Callable[..., Any]:
    """Set the owner in a test case's own context, which is as old as its instance."""

    def run(self: Any, /, *args: Any, **options: Any) -> Any:
        context = getattr(self, "_asyncioTestContext", None)
        if context is not None and owner.watches:
            context.run(OWNER.set, owner.current())
        return original(self, *args, **options)

    return run
