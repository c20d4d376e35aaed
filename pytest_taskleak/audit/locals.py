"""What becomes of a thing that a local name, or a local collection, stands for?"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pytest_taskleak.audit.sites import Fate
from pytest_taskleak.audit.source import Scope, inside, parameters, start_of

if TYPE_CHECKING:
    from pytest_taskleak.audit.uses import Uses

LEAVES = (ast.Break, ast.Return, ast.Raise)
DISPLAYS = (ast.List, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.Tuple)
BOXES = frozenset({"list", "set", "dict", "deque", "defaultdict", "OrderedDict", "Queue", "tuple"})
WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


class Locals:
    """Follows the local names of one file.

    Parameters:
        uses: follows the expressions.
    """

    def __init__(self, uses: Uses) -> None:
        self.uses = uses
        self.source = uses.source
        self._occurrences: dict[Scope, dict[str, list[ast.Name]]] = {}
        self._captured: dict[Scope, set[str]] = {}
        self._outer: dict[Scope, set[str]] = {}
        self._found: dict[tuple[str, ast.AST], Fate] = {}

    def bound(self, name: ast.expr, statement: ast.AST, depth: int) -> Fate:
        """Return the fate of what a statement binds to a name."""
        if not isinstance(name, ast.Name):
            return Fate("handed", "on")
        scope = self.source.scope_of(statement)
        if isinstance(scope, ast.Module):
            return self._of_module(name, scope, depth)
        if isinstance(scope, ast.ClassDef):
            return Fate("kept", f"in the class, as {name.id}", name.id)
        occurrences = self._of(scope)
        if name.id in self._outer[scope]:
            return Fate("kept", f"in {name.id}, which lives outside of {self.uses.name_of(scope)}()", name.id)
        loads = [x for x in occurrences.get(name.id, ()) if isinstance(x.ctx, ast.Load)]
        found = self._once(("name", name), lambda: self._best(name, statement, scope, loads, depth))
        if name.id in self._captured[scope]:
            return found.better(Fate("kept", f"in {name.id}, which an inner function uses"))
        return found

    def _once(self, key: tuple[str, ast.AST], find: Callable[[], Fate]) -> Fate:
        """Return what is found, once for each key; nothing while it is being looked for."""
        if key not in self._found:
            self._found[key] = Fate("dropped", "only in a circle of names")
            self._found[key] = find()
        return self._found[key]

    def _of_module(self, name: ast.Name, scope: ast.Module, depth: int) -> Fate:
        used = self._of(scope).get(name.id, [])
        fates = [self.uses.of(x, depth - 1) for x in used if isinstance(x.ctx, ast.Load)]
        best = Fate("kept", f"in the module, as {name.id}", name.id)
        for fate in fates:
            if fate.how in ("awaited", "group", "ended"):
                best = best.better(fate)
        return best

    def _best(
        self, name: ast.Name, statement: ast.AST, scope: Scope, loads: list[ast.Name], depth: int
    ) -> Fate:
        later = self._overwritten(name, statement)
        if later:
            return Fate("overwritten", f"{name.id} is bound again on line {later} before anybody uses it")
        found = [(load, self.uses.of(load, depth - 1)) for load in loads]
        used = [(load, fate) for load, fate in found if not fate.lost]
        loop = self.source.loop_of(statement)
        first, ends = (loop.lineno, loop.end_lineno or 0) if loop is not None else (0, 0)
        strong = [
            (load, fate)
            for load, fate in used
            if start_of(load) > start_of(name) or first <= load.lineno <= ends
        ]
        outside = all(not first <= load.lineno <= ends for load, _ in strong)
        if strong and outside and loop is not None and self._goes_round(statement):
            line = min(load.lineno for load, _ in strong)
            return Fate("overwritten", f"only the last {name.id} of the loop is used, on line {line}")
        if not strong:
            return self._lost(name, scope, loads)
        best, where = strong[0][1], strong[0][0]
        for load, fate in strong[1:]:
            if fate.better(best) is fate and fate.how != best.how:
                best, where = fate, load
        late = self._late(statement, where, scope, loads) if best.how == "kept" else 0
        return Fate(best.how, best.detail, best.attribute, late) if late else best

    def _lost(self, name: ast.Name, scope: Scope, loads: list[ast.Name]) -> Fate:
        where = f"{name.id}, which ends with {self.uses.name_of(scope)}()"
        if name.id == "_" and not loads:
            return Fate("dropped", "as _")
        return Fate("local", f"only in {where}" if loads else f"only in {name.id}, which nobody uses")

    def collected(self, box: ast.Name, node: ast.AST, depth: int) -> Fate:
        """Return the fate of what is put into the collection that a name stands for."""
        scope = self.source.scope_of(node)
        if isinstance(scope, ast.Module | ast.ClassDef):
            return Fate("kept", f"in {box.id}", box.id)
        occurrences = self._of(scope)
        mine = occurrences.get(box.id, [])
        stores = [x for x in mine if isinstance(x.ctx, ast.Store)]
        if box.id in {x.arg for x in parameters(scope)}:
            return Fate("handed", f"in {box.id}, which is given")
        if box.id in self._outer[scope] or not all(self._is_fresh(x) for x in stores) or not stores:
            return Fate("kept", f"in {box.id}", box.id)
        if box.id in self._captured[scope]:
            return Fate("kept", f"in {box.id}, which an inner function uses")
        loads = [x for x in mine if isinstance(x.ctx, ast.Load)]
        return self._once(("box", mine[0]), lambda: self._of_box(box, scope, loads, depth))

    def _is_fresh(self, store: ast.Name) -> bool:
        """Tell whether a name is bound to a collection that is made right there."""
        statement = self.source.parents.get(store)
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Call):
            return self.uses.names.dotted(value.func).rpartition(".")[2] in BOXES
        return isinstance(value, DISPLAYS)

    def _of_box(self, box: ast.Name, scope: Scope, loads: list[ast.Name], depth: int) -> Fate:
        best = Fate(
            "local", f"only in {box.id}, which nobody awaits and which ends with {self.uses.name_of(scope)}()"
        )
        for load in loads:
            fate = self.uses.of(load, depth - 1)
            if not fate.lost:
                best = best.better(fate)
        return best

    def each(self, loop: ast.For | ast.AsyncFor | ast.comprehension, depth: int) -> Fate:
        """Return the fate of the elements of what a loop goes through."""
        names = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
        where: ast.AST | None = loop
        if isinstance(loop, ast.comprehension):
            where = self.source.parents.get(loop)
        best = Fate("dropped", "only looked at")
        if isinstance(loop, ast.AsyncFor):
            return Fate("awaited")
        for node in ast.walk(where) if where is not None else ():
            if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
                best = best.better(self.uses.of(node, depth - 1))
        return best

    # --- names and their order ----------------------------------------------------------------------

    def _of(self, scope: Scope) -> dict[str, list[ast.Name]]:
        """Return the occurrences of each name in a scope, in the order of the source."""
        if scope not in self._occurrences:
            found: dict[str, list[ast.Name]] = {}
            outer: set[str] = set()
            own = list(inside(scope))
            for node in own:
                if isinstance(node, ast.Name):
                    found.setdefault(node.id, []).append(node)
                elif isinstance(node, ast.Global | ast.Nonlocal):
                    outer.update(node.names)
            for nodes in found.values():
                nodes.sort(key=start_of)
            self._occurrences[scope] = found
            self._outer[scope] = outer
            self._captured[scope] = captured(own)
        return self._occurrences[scope]

    def _overwritten(self, name: ast.Name, statement: ast.AST) -> int:
        """Return the line on which a name is bound again, in the same block, before anybody uses it."""
        if not isinstance(statement, ast.stmt):
            return 0
        for later in self.source.after(statement):
            used = [x for x in ast.walk(later) if isinstance(x, ast.Name) and x.id == name.id]
            if any(isinstance(x.ctx, ast.Load | ast.Del) for x in used):
                return 0
            if used:
                plain = isinstance(later, ast.Assign | ast.AnnAssign) and later.value is not None
                return later.lineno if plain else 0
        return 0

    def _goes_round(self, statement: ast.AST) -> bool:
        """Tell whether a loop goes on after a statement in it."""
        if not isinstance(statement, ast.stmt):
            return False
        below: ast.AST = statement
        loop = self.source.loop_of(statement)
        for parent in (statement, *self.source.up(statement)):
            if parent is loop:
                return True
            if isinstance(parent, ast.stmt):
                below = parent
                if any(isinstance(x, LEAVES) for x in self.source.after(below)):
                    return False
        return True

    def _late(self, statement: ast.AST, where: ast.Name, scope: Scope, loads: Iterable[ast.Name]) -> int:
        """Return the line of what lets a thing run before it is kept, 0 if nothing does."""
        first, last = start_of(statement), start_of(where)
        within = {id(x) for x in ast.walk(statement)}
        waits = [x for x in inside(scope) if isinstance(x, WAITS) and id(x) not in within]
        starts = [x for x in loads if getattr(self.source.parents.get(x), "attr", "") == "start"]
        places = [start_of(x) for x in (*waits, *starts)]
        return min((place[0] for place in places if first < place < last), default=0)


def captured(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that functions and classes among these nodes take from outside."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            used = {x.id for x in ast.walk(node) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Load)}
            own = {x.id for x in ast.walk(node) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)}
            given = {x.arg for x in ast.walk(node) if isinstance(x, ast.arg)}
            shared = {n for x in ast.walk(node) if isinstance(x, ast.Nonlocal) for n in x.names}
            found |= (used - own - given) | shared
    return found
