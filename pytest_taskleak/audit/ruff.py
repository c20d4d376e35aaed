"""Would ruff's RUF006 (`asyncio-dangling-task`) speak here, and was it told not to?

What it sees is less than what this audit sees; where it speaks, the audit must not be silent.  A test runs
both.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_taskleak.audit.names import Names
from pytest_taskleak.audit.source import SCOPES, Scope, Source, inside, parameters, start_of

CODE = "RUF006"
GIVEN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
CALLS = frozenset({"asyncio.create_task", "asyncio.ensure_future"})
LOOPS = frozenset({"asyncio.get_event_loop", "asyncio.get_running_loop", "asyncio.new_event_loop"})
LINE = re.compile(r"#\s*noqa\s*(?::\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*))?", re.IGNORECASE)
FILE = re.compile(
    r"#\s*(?:ruff|flake8)\s*:\s*noqa\s*(?::\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*))?",
    re.IGNORECASE,
)


class Dangling:
    """Finds the calls of a file that RUF006 speaks of.

    Parameters:
        names: the names of the file.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.source = names.source
        self.calls = frozenset(self._find())

    def _find(self) -> Iterator[ast.Call]:
        for node in self.source.parents:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and self._makes(node.value):
                yield node.value
        bound = [x for x in self.source.parents if isinstance(x, ast.Assign | ast.AnnAssign)]
        scopes = {self.source.scope_of(x): None for x in bound if self._makes(x.value)}
        for scope in scopes:
            yield from self._unused(scope)

    def _makes(self, value: ast.expr | None) -> bool:
        """Tell whether a value is a call that ruff knows as one that makes a task."""
        if not isinstance(value, ast.Call):
            return False
        if self._qualified(value.func) in CALLS:
            return True
        function = value.func
        if not (isinstance(function, ast.Attribute) and function.attr == "create_task"):
            return False
        return isinstance(function.value, ast.Name) and self._is_loop(function.value)

    def _qualified(self, node: ast.expr) -> str:
        """Return what was imported under a name or a chain of attributes; ruff follows nothing else."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.names.imports:
            return ""
        return ".".join([self.names.imports[node.id], *reversed(parts)])

    def _is_loop(self, name: ast.Name) -> bool:
        """Tell whether a name was last bound to the call of a function that returns a loop."""
        scope: Scope = self.source.scope_of(name)
        while True:
            stores = [x for x in stores_in(scope, name.id) if start_of(x) < start_of(name)]
            if stores:
                statement = self.source.parents.get(stores[-1])
                plain = isinstance(statement, ast.Assign | ast.AnnAssign)
                value = statement.value if plain else None  # type: ignore[union-attr]
                return isinstance(value, ast.Call) and self._qualified(value.func) in LOOPS
            if isinstance(scope, ast.Module):
                return False
            scope = self.source.scope_of(scope)

    def _unused(self, scope: Scope) -> Iterator[ast.Call]:
        """Yield the calls whose result is bound to a name of a scope that nobody reads."""
        stores: dict[str, list[ast.Name]] = {}
        given = parameters(scope) if isinstance(scope, GIVEN) else ()
        bound = {argument.arg for argument in given}
        skipped: set[str] = set()  # what is read after it was first bound, and names of other scopes
        own = sorted((x for x in inside(scope) if self.source.scope_of(x) is scope), key=self._turn)
        for node in own:
            if isinstance(node, ast.Global | ast.Nonlocal):
                skipped.update(node.names)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                if self._is_annotation(node):
                    continue
                bound.add(node.id)
                stores.setdefault(node.id, []).append(node)
            elif isinstance(node, ast.Name) and node.id in bound:
                skipped.add(node.id)
        for inner in own:
            if isinstance(inner, SCOPES):  # read last
                skipped.update(x.id for x in ast.walk(inner) if isinstance(x, ast.Name))
        for name, found in stores.items():
            if name in skipped or not self._assigned(found[-1]):
                continue
            for store in found:
                value = getattr(self.source.parents.get(store), "value", None)
                if isinstance(value, ast.Call) and self._plain(store) and self._makes(value):
                    yield value

    def _turn(self, node: ast.AST) -> tuple[int, int, int]:
        """Return when a node is read: a target after the value that it gets."""
        statement = self.source.parents.get(node)
        bound = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        if bound and isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            return statement.end_lineno or 0, statement.end_col_offset or 0, 1
        return *start_of(node), 0

    def _is_annotation(self, store: ast.Name) -> bool:
        """Tell whether a name only gets an annotation, and no value."""
        statement = self.source.parents.get(store)
        return isinstance(statement, ast.AnnAssign) and statement.value is None

    def _assigned(self, store: ast.Name) -> bool:
        """Tell whether a name is bound by an assignment, as such or among others."""
        parents = (x for x in self.source.up(store) if not isinstance(x, ast.Tuple | ast.List | ast.Starred))
        return isinstance(next(parents, None), ast.Assign | ast.AnnAssign)

    def _plain(self, store: ast.Name) -> bool:
        """Tell whether a name is the single target of an assignment."""
        statement = self.source.parents.get(store)
        if isinstance(statement, ast.Assign):
            return len(statement.targets) == 1
        return isinstance(statement, ast.AnnAssign) and statement.value is not None


def stores_in(scope: Scope, name: str) -> list[ast.Name]:
    """Return where a scope binds a name, in the order of the source."""
    found = [
        x for x in inside(scope) if isinstance(x, ast.Name) and x.id == name and isinstance(x.ctx, ast.Store)
    ]
    return sorted(found, key=start_of)


def silenced(source: Source, call: ast.Call) -> bool:
    """Tell whether a comment tells ruff not to speak of a call."""
    if names_code(LINE, source.comments.get(call.lineno, "")):
        return True
    return any(names_code(FILE, comment) for comment in source.comments.values() if "noqa" in comment.lower())


def names_code(pattern: re.Pattern[str], comment: str) -> bool:
    """Tell whether a comment names RUF006, or all rules."""
    match = pattern.search(comment)
    if match is None or (pattern is LINE and FILE.search(comment)):
        return False
    codes = match["codes"]
    return codes is None or CODE in re.split(r"[,\s]+", codes.upper())
