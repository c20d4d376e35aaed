"""On whose behalf does the running code work?

The owner travels in one ContextVar, which asyncio copies into tasks, handles and I/O callbacks.
Where no context reaches (threads on most builds), the thread's own birth answers, and last the
phase that pytest is in.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

from pytest_taskleak.diagnosis import NONE_REAPED, Graph
from pytest_taskleak.model import BIRTH, Finding, Owner, OwnerKind


class Scope:
    """The life of an owner: what was born in it, and what was found of it so far.

    Parameters:
        kind: what sort of owner it is.
        name: the test's or the fixture's name.
        range: how wide it is: `function`, `class`, `module`, `package` or `session`.
        nodeid: the test, or the last test that used the fixture.
        parent: the scope that answers for what plugins make meanwhile.
        policy: the settings of this scope, else those of its watch hold.
        watch: the session of watching that judges it.
    """

    __slots__ = (
        "__weakref__",
        "births",
        "closed",
        "findings",
        "graphs",
        "kind",
        "name",
        "nodeid",
        "parent",
        "policy",
        "range",
        "reaped",
        "teardown",
        "tied",
        "user",
        "value",
        "watch",
    )

    def __init__(
        self,
        kind: OwnerKind,
        name: str,
        *,
        range: str = "function",  # noqa: A002 -- the field's word for a fixture's scope is taken by the class
        nodeid: str = "",
        parent: Scope | None = None,
        policy: Any = None,
        watch: Any = None,
    ) -> None:
        self.kind: OwnerKind = kind
        self.name = name
        self.range = range
        self.nodeid = nodeid
        self.parent = parent
        self.policy = policy
        self.watch = watch
        self.births: dict[str, Any] = {}  # kind -> engine.births.Births
        self.findings: list[Finding] = []
        self.graphs: tuple[Graph, ...] = ()  # of what was left on loops that have ended
        self.reaped = NONE_REAPED  # of its tasks that were cancelled when a loop closed
        self.value: Any = None
        self.closed = False
        self.teardown = False
        self.tied = False  # something was born that does not outlive its loop
        self.user = False

    @property
    def owner(self) -> Owner:
        """The plain value for reports."""
        return Owner(kind=self.kind, name=self.name, scope=self.range, nodeid=self.nodeid)

    def __repr__(self) -> str:
        return f"<Scope {self.owner}>"


OWNER: ContextVar[Scope | None] = ContextVar("taskleak_owner", default=None)
"""The scope on whose behalf the current context runs."""

watches: list[Any] = []
"""The sessions of watching that are under way, the innermost last."""


def current() -> Scope | None:
    """Return the scope that answers for what the calling code makes, if anybody watches."""
    if not watches:
        return None
    scope = OWNER.get()
    if scope is not None and scope.watch.awake:
        return scope
    return of_thread() or phase()


def phase() -> Scope:
    """Return the scope of the phase that the innermost watch is in."""
    scope: Scope = watches[-1].phase
    return scope


def thread_birth() -> Any:
    """Return the birth record of the current thread, if it has one."""
    # `threading.current_thread` would make a dummy object for a foreign thread.
    thread = threading._active.get(threading.get_ident())  # type: ignore[attr-defined]  # noqa: SLF001
    return getattr(thread, "__dict__", {}).get(BIRTH)


def of_thread() -> Scope | None:
    """Return the scope that the current thread was born in."""
    birth = thread_birth()
    scope: Scope | None = birth[0] if birth else None
    if scope is None or not scope.watch.awake or scope is scope.watch.harness:
        return None  # a plugin's own thread may run the code of tests
    return scope
