"""Whose is a leftover really: the one who made it, a wider fixture, or the whole process?"""

from __future__ import annotations

import sys
from typing import Any

from pytest_taskleak.adapt.awaiting import is_method
from pytest_taskleak.adapt.code import module_of
from pytest_taskleak.engine.births import Births, Entry
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.judge.adoption import kept_by_module, reaches
from pytest_taskleak.judge.memory import only_remembered
from pytest_taskleak.model import BIRTH

WIDTH = {"function": 0, "class": 1, "module": 2, "package": 3, "session": 4}


class Claims:
    """The live wider fixtures, and the single helpers of libraries that the session has adopted."""

    def __init__(self, session: Scope) -> None:
        self.session = session
        self.fixtures: list[Scope] = []
        self.singletons: dict[tuple[str, str, str, str], Any] = {}
        self.adopted: list[str] = []

    def add(self, fixture: Scope) -> None:
        """Take a wider fixture into account; `fixture.value` returns its value while it lives."""
        self.fixtures.append(fixture)

    def forget(self, scope: Scope) -> None:
        """Forget a fixture whose scope has closed."""
        if scope in self.fixtures:
            self.fixtures.remove(scope)

    def keep(self, scope: Scope, left: list[Leftover]) -> list[Leftover]:
        """Return the leftovers that stay with their scope; give the others to their keeper."""
        kept: list[Leftover] = []
        for item in left:
            try:
                keeper = self.keeper(scope, item)
                passing = keeper is None and item.detector.idle(item.thing)
                if passing and only_remembered(item.thing, (left, kept)):
                    continue
            except Exception:  # noqa: BLE001 -- objects of the user can be odd; in doubt it stays
                keeper = None
            if keeper is None:
                kept.append(item)
            else:
                give(item, scope, keeper)
        return kept

    def keeper(self, scope: Scope, item: Leftover) -> Scope | None:
        """Return the wider scope that keeps a leftover, if there is one."""
        thing, *objects = item.detector.keeper(item.thing)
        targets = [thing] + [x for x in objects if made_by(x, item.birth)]
        for fixture in self.fixtures:
            if fixture is scope or WIDTH[fixture.range] <= WIDTH.get(scope.range, 0):
                continue
            value = fixture.value() if fixture.value is not None else None
            if value is not None and reaches(value, targets):
                return fixture
        return self.session if self.is_singleton(scope, item, [thing, *objects]) else None

    def is_singleton(self, scope: Scope, item: Leftover, targets: list[Any]) -> bool:
        """Tell whether a leftover is the one helper of its kind that its maker's module keeps."""
        thing = item.thing
        if item.birth is None or not item.detector.helper(thing):
            return False
        names = {scope.name, scope.name.split("[")[0], scope.name.split(" ")[0]}  # "setUpClass of X"
        codes = [code for code in item.birth[1][::2] if names.isdisjoint(code.co_qualname.split("."))]
        if not codes:
            return False
        resource = item.detector.describe(thing)
        key = (resource.code, resource.module, resource.what, module_of(codes[0]))
        known = self.singletons.get(key)
        older = known() if known is not None else None
        if older is not None and item.detector.alive(older):
            return False
        # The first target is the thing's own object; an event of the standard library keeps nothing.
        targets = [x for n, x in enumerate(targets) if not n or x is thing or not of_stdlib(x)]
        if not kept_by_module(targets, {module_of(code) for code in codes}):
            return False
        import weakref

        self.singletons[key] = weakref.ref(thing)
        self.adopted.append(
            f"{item.detector.kind} {resource.name!r} ({resource.what}) was started once for the whole "
            f"process, first by {scope.owner}"
        )
        return True


def of_stdlib(thing: Any) -> bool:
    """Tell whether a thing is of a class of the standard library: an event in a module keeps no thread."""
    return type(thing).__module__.split(".")[0] in sys.stdlib_module_names


def made_by(keeper: Any, birth: Any) -> bool:
    """Tell whether the object itself made the thing, not the test on its behalf."""
    return birth is not None and bool(birth[1]) and any(is_method(keeper, code) for code in birth[1][::2][:2])


def give(item: Leftover, scope: Scope, keeper: Scope) -> None:
    """Write a leftover down as another scope's."""
    if item.birth is None:
        return
    kind = item.detector.kind
    birth = (keeper, *item.birth[1:])
    entry = Entry(item.thing)
    entry.birth = birth
    if hasattr(item.thing, BIRTH):
        setattr(item.thing, BIRTH, birth)
    keeper.births.setdefault(kind, Births()).append(entry)
    before = scope.births.get(kind)
    if before is not None:
        before[:] = [old for old in before if old() is not item.thing]
