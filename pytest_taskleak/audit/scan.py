"""Which sites stand in one file of the user?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from pytest_taskleak.audit.calls import BARE, Calls, Making, has_name, is_daemon
from pytest_taskleak.audit.excuses import excuse
from pytest_taskleak.audit.names import Names
from pytest_taskleak.audit.ruff import Dangling
from pytest_taskleak.audit.sites import HOWS, End, Fate, Site
from pytest_taskleak.audit.source import Source, end_of, parameters
from pytest_taskleak.audit.uses import Uses

ENDED = ("awaited", "group", "ended")
NEXT = ("create_task", "start_soon", "spawn")


class Scan:
    """The sites of one file.

    Parameters:
        source: the file.
        module: its dotted name.
        threads: the classes of the project that are threads.
    """

    def __init__(self, source: Source, module: str = "", threads: frozenset[str] = frozenset()) -> None:
        self.source = source
        self.module = module
        self.names = Names(source, module)
        self.calls = Calls(self.names, threads)
        self.uses = Uses(self.names)

    @cached_property
    def dangling(self) -> Dangling:
        """What RUF006 would say of the file."""
        return Dangling(self.names)

    @cached_property
    def sites(self) -> list[Site]:
        """The sites, in the order of the source."""
        found = []
        for call in self.source.calls.values():
            making = self.calls.making(call)
            if making is not None:
                found.append(self.site(call, making))
        return found

    def site(self, call: ast.Call, making: Making) -> Site:
        """Return the site that a call is."""
        by_ruff = call in self.dangling.calls
        fate = self.fate(call, making)
        if by_ruff and not fate.lost:  # in a module or a class, or in a loop that reads it first
            fate = Fate("local", "only under a name that nobody in this file reads afterwards")
        return Site(
            path=self.source.path,
            line=call.lineno,
            end=end_of(call),
            qualname=self.source.qualname(call),
            kind=making.kind,
            call=making.call,
            named=True if self._named_later(call) else has_name(call, making),
            fate=fate,
            awaits=self.awaits(fate.attribute) if fate.how == "kept" else "",
            sure=making.sure,
            daemon=making.kind == "thread" and self._is_daemon(call, making),
            ruff=by_ruff,
            excuse=excuse(self.source, call, by_ruff=by_ruff),
            near=self.near(call) if making.call in BARE and fate.how not in ENDED else "",
        )

    def fate(self, call: ast.Call, making: Making) -> Fate:
        """Return what becomes of what a call makes."""
        if making.group:
            return Fate("group", making.group)
        if making.callback:
            return Fate("dropped", f"by {ast.unparse(call.func)}(), which drops what it calls returns")
        return self.uses.of(call)

    def called(self, call: ast.Call, *, awaits: bool) -> Fate:
        """Return what becomes of what a helper returns.

        Parameters:
            call: the call of the helper.
            awaits: the helper is a coroutine function, so that only `await` yields what it returns.
        """
        if not awaits:
            return self.uses.of(call)
        parent = self.source.parents.get(call)
        return self.uses.of(parent) if isinstance(parent, ast.Await) else Fate("handed", "with its coroutine")

    def at(self, end: End, line: int) -> ast.Call | None:
        """Return the call that ends at a place, else the only one that begins on a line."""
        found = self.source.calls.get(end)
        if found is not None:
            return found
        there = [call for call in self.source.calls.values() if call.lineno == line]
        making = [call for call in there if self.calls.making(call) is not None]
        return there[0] if len(there) == 1 else making[0] if len(making) == 1 else None

    def awaits(self, attribute: str) -> str:
        """Say who awaits, joins or cancels what an attribute holds; empty where nobody in the file does."""
        best, where = Fate("dropped"), 0
        for node in self._reads(attribute):
            fate = self.uses.of(node)
            sees = fate.how in ENDED or (fate.how == "handed" and fate.detail.endswith("()"))
            if sees and HOWS.index(fate.how) < HOWS.index(best.how):
                best, where = fate, node.lineno
        if best.how == "handed":
            return f"handed {best.detail} on line {where}"
        return f"awaited on line {where}" if best.how == "awaited" else best.detail

    def _reads(self, attribute: str) -> Iterator[ast.expr]:
        found = [
            node
            for node in self.source.parents
            if (isinstance(node, ast.Attribute) and node.attr == attribute)
            or (isinstance(node, ast.Name) and node.id == attribute)
        ]
        for node in sorted(found, key=lambda x: (x.lineno, x.col_offset)):
            if isinstance(node.ctx, ast.Load):
                yield node

    def near(self, call: ast.AST) -> str:
        """Return the task group that the function of a call could use, empty where there is none."""
        for function in self.source.functions_of(call):
            for argument in parameters(function):
                name = ast.Name(argument.arg, ast.Load())
                if self.calls.receiver(name) == "group":
                    return argument.arg
            for node in ast.walk(function):
                if not (isinstance(node, ast.Attribute) and node.attr in NEXT):
                    continue
                if self.calls.receiver(node.value) == "group":
                    return ast.unparse(node.value)
        return ""

    def _named_later(self, call: ast.Call) -> bool:
        """Tell whether the name that the call's result is bound to is given a name by `set_name`."""
        statement = self.source.parents.get(call)
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            return False
        name = statement.targets[0].id
        function = self.source.function_of(call) or self.source.tree
        return any(
            isinstance(node, ast.Attribute)
            and node.attr in ("set_name", "name")
            and isinstance(node.value, ast.Name)
            and node.value.id == name
            and (node.attr == "set_name" or isinstance(node.ctx, ast.Store))
            for node in ast.walk(function)
        )

    def _is_daemon(self, call: ast.Call, making: Making) -> bool:
        """Tell whether a thread is made, or marked, as a daemon."""
        if is_daemon(call):
            return True
        statement = self.source.parents.get(call)
        if isinstance(statement, ast.Assign):
            key = ast.unparse(statement.targets[0])
            for node in self.source.parents:
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == f"{key}.daemon":
                    return isinstance(node.value, ast.Constant) and bool(node.value.value)
        name = making.call.rpartition(".")[2]
        for node in self.source.parents:  # a class of its own that makes itself one
            if isinstance(node, ast.ClassDef) and node.name == name:
                inits = [x for x in ast.walk(node) if isinstance(x, ast.Call)]
                return any(is_daemon(x) for x in inits) or "self.daemon = True" in ast.unparse(node)
        return False
