"""Of what does an expression speak: `ct` of `asyncio.create_task`, `self.tg` of an `asyncio.TaskGroup()`?

Imports are followed, names that are bound once, and `getattr` with a plain name.  What is called is written
with brackets: `asyncio.get_running_loop().create_task`.
"""

from __future__ import annotations

import ast
from functools import cached_property

from pytest_taskleak.audit.source import Source

MOST_STEPS = 8
ENTERS = ("enter_async_context", "enter_context", "open", "__aenter__")
"""Methods that return what they are given, or what they are called on."""


class Names:
    """The names of one file.

    Parameters:
        source: the file.
        module: its dotted name, for relative imports.
    """

    def __init__(self, source: Source, module: str = "") -> None:
        self.source = source
        self.module = module
        self.package = source.path.endswith("__init__.py")

    @cached_property
    def imports(self) -> dict[str, str]:
        """Name -> what was imported under it, wherever in the file."""
        found: dict[str, str] = {}
        for node in self.source.parents:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    found[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                where = self.absolute(node)
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{where}.{alias.name}" if where else alias.name
        return found

    def absolute(self, node: ast.ImportFrom) -> str:
        """Return the module that an import is from."""
        if not node.level:
            return node.module or ""
        parts = self.module.split(".")
        kept = parts[: len(parts) - node.level + (1 if self.package else 0)]
        return ".".join([*kept, *([node.module] if node.module else [])])

    @cached_property
    def bound(self) -> dict[str, list[ast.expr | None]]:
        """Name, or `.attribute`, -> the values that it gets in the file; `None` for what is no expression."""
        found: dict[str, list[ast.expr | None]] = {}
        for node in self.source.parents:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._bind(found, target, node.value)
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
                self._bind(found, node.target, node.value)
            elif isinstance(node, ast.withitem) and node.optional_vars is not None:
                self._bind(found, node.optional_vars, node.context_expr)
            elif isinstance(node, ast.AugAssign | ast.For | ast.AsyncFor | ast.comprehension):
                self._bind(found, node.target, None)
            elif isinstance(node, ast.arg):
                found.setdefault(node.arg, []).append(None)
        return found

    @staticmethod
    def _bind(found: dict[str, list[ast.expr | None]], target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Attribute):
            found.setdefault(f".{target.attr}", []).append(value)
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                Names._bind(found, part, None)

    @cached_property
    def annotations(self) -> dict[str, str]:
        """Name, or `.attribute`, -> the text of its annotation."""
        found: dict[str, str] = {}
        for node in self.source.parents:
            if isinstance(node, ast.arg) and node.annotation is not None:
                found.setdefault(node.arg, ast.unparse(node.annotation))
            elif isinstance(node, ast.AnnAssign):
                name = node.target
                key = name.id if isinstance(name, ast.Name) else f".{getattr(name, 'attr', '')}"
                found.setdefault(key, ast.unparse(node.annotation))
                if isinstance(name, ast.Name):  # a field of a class
                    found.setdefault(f".{name.id}", ast.unparse(node.annotation))
        return found

    def dotted(self, node: ast.AST, steps: int = MOST_STEPS) -> str:
        """Return what an expression speaks of, `?` where that is computed."""
        if not steps:
            return "?"
        if isinstance(node, ast.Name):
            return self._name(node.id, steps)
        if isinstance(node, ast.Attribute):
            return f"{self.dotted(node.value, steps - 1)}.{node.attr}"
        if isinstance(node, ast.Await):
            return self.dotted(node.value, steps - 1)
        if isinstance(node, ast.Call):
            plain = self._getattr(node, steps)
            return plain or f"{self.dotted(node.func, steps - 1)}()"
        return "?"

    def _name(self, name: str, steps: int) -> str:
        if name in self.imports:
            return self.imports[name]
        values = self.bound.get(name, [])
        if len(values) == 1 and isinstance(values[0], ast.Name | ast.Attribute):
            return self.dotted(values[0], steps - 1)
        if len(values) == 1 and isinstance(values[0], ast.Call):
            return self._getattr(values[0], steps) or name
        return name

    def _getattr(self, call: ast.Call, steps: int) -> str:
        if not (isinstance(call.func, ast.Name) and call.func.id == "getattr" and len(call.args) > 1):
            return ""
        what = call.args[1]
        if isinstance(what, ast.Constant) and isinstance(what.value, str):
            return f"{self.dotted(call.args[0], steps - 1)}.{what.value}"
        return ""

    def origins(self, node: ast.expr) -> list[str]:
        """Return what a variable or an attribute may be: what was called to make it, its annotations."""
        here = self.dotted(node)
        key = node.id if isinstance(node, ast.Name) else f".{getattr(node, 'attr', '')}"
        found = [here]
        if key in self.annotations:
            found.append(self.annotations[key])
        found += [self.dotted(entered(value)) for value in self.bound.get(key, ()) if value is not None]
        return found


def entered(value: ast.expr) -> ast.expr:
    """Return what stands for the value of `await stack.enter_async_context(TaskGroup())` and the like."""
    for _ in range(MOST_STEPS):
        if isinstance(value, ast.Await):
            value = value.value
        elif isinstance(value, ast.IfExp):
            value = value.body
        elif isinstance(value, ast.BoolOp):
            value = value.values[-1]
        elif (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr in ENTERS
        ):
            value = value.args[0] if value.args else value.func.value
        else:
            break
    return value
