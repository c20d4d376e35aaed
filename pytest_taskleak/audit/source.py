"""How is a file of the user read: its tree, whose child a node is, its functions, its comments?"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cached_property

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.Module
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Module)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
SPEAKS = re.compile(r"#.*(taskleak|noqa)", re.IGNORECASE)


class Source:
    """A file of the user, parsed.

    Parameters:
        path: its name in reports.
        text: what stands in it.

    Raises:
        SyntaxError: it is no Python that this interpreter knows.
        ValueError: the same, for bytes that no source may have.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.tree = ast.parse(text)
        self.parents: dict[ast.AST, ast.AST] = {}
        level: list[ast.AST] = [self.tree]
        while level:
            node = level.pop()
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
                level.append(child)

    @cached_property
    def calls(self) -> dict[tuple[int, int], ast.Call]:
        """The calls of the file, by where they end."""
        calls = [node for node in self.parents if isinstance(node, ast.Call)]
        return {end_of(call): call for call in sorted(calls, key=end_of)}

    @cached_property
    def comments(self) -> dict[int, str]:
        """Line -> the comment on it; none where no comment can speak of a site."""
        found: dict[int, str] = {}
        if not SPEAKS.search(self.text):
            return found
        try:
            for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
                if token.type == tokenize.COMMENT:
                    found[token.start[0]] = token.string
        except (tokenize.TokenError, SyntaxError, IndentationError):
            return found
        return found

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the file."""
        return self.text.splitlines()

    def up(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes around a node, the nearest first."""
        parent = self.parents.get(node)
        while parent is not None:
            yield parent
            parent = self.parents.get(parent)

    def scope_of(self, node: ast.AST) -> Scope:
        """Return the function, class or module whose names a node sees as its own."""
        below = node
        for parent in self.up(node):
            if isinstance(parent, SCOPES) and belongs(parent, below):
                return parent
            below = parent
        return self.tree

    def function_of(self, node: ast.AST) -> Function | None:
        """Return the `def` that a node stands in."""
        return next(self.functions_of(node), None)

    def functions_of(self, node: ast.AST) -> Iterator[Function]:
        """Yield the functions around a node, the nearest first."""
        scope = self.scope_of(node)
        while not isinstance(scope, ast.Module):
            if isinstance(scope, FUNCTIONS):
                yield scope
            scope = self.scope_of(scope)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the class around a node."""
        return next((x for x in self.up(node) if isinstance(x, ast.ClassDef)), None)

    def qualname(self, node: ast.AST) -> str:
        """Return the qualified name of the code that a node stands in, as Python itself calls it."""
        return self.name_of(self.scope_of(node))

    def name_of(self, scope: Scope) -> str:
        """Return the qualified name of a function or a class."""
        if isinstance(scope, ast.Module):
            return "<module>"
        name = "<lambda>" if isinstance(scope, ast.Lambda) else scope.name
        outer = self.scope_of(scope)
        if isinstance(outer, ast.Module):
            return name
        between = "." if isinstance(outer, ast.ClassDef) else ".<locals>."
        return f"{self.name_of(outer)}{between}{name}"

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        """Return the statement that a node is part of."""
        if isinstance(node, ast.stmt):
            return node
        return next((x for x in self.up(node) if isinstance(x, ast.stmt)), None)

    def after(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the statements that follow one in its block."""
        parent = self.parents.get(statement)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(parent, name, None)
            if isinstance(block, list) and statement in block:
                return list(block[block.index(statement) + 1 :])
        return []

    def loop_of(self, node: ast.AST) -> ast.stmt | None:
        """Return the innermost loop of the same function whose body a node is in."""
        below = node
        for parent in self.up(node):
            if isinstance(parent, SCOPES):
                return None
            if isinstance(parent, LOOPS) and below in parent.body:
                return parent
            below = parent
        return None


def end_of(node: ast.expr) -> tuple[int, int]:
    """Return where an expression ends."""
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def start_of(node: ast.AST) -> tuple[int, int]:
    """Return where a node begins."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def belongs(scope: Scope, child: ast.AST) -> bool:
    """Tell whether a direct child runs in a scope: decorators, defaults and bases do not."""
    if isinstance(scope, ast.Lambda):
        return child is scope.body
    return isinstance(scope, ast.Module) or child in scope.body


def parameters(function: Function | ast.Lambda) -> list[ast.arg]:
    """Return the parameters of a function."""
    given = function.args
    more = [given.vararg, given.kwarg]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *(x for x in more if x is not None)]


def inside(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below a node, without those of the functions and classes in it."""
    level = list(ast.iter_child_nodes(scope))
    while level:
        node = level.pop()
        yield node
        if not isinstance(node, SCOPES):
            level.extend(ast.iter_child_nodes(node))
