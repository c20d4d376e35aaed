"""What becomes of the reference to what a call has made?

From the call one walks outwards through the expression, to the statement that keeps or drops it; a local name
is followed to all its uses, and the best of them counts.
"""

from __future__ import annotations

import ast

from pytest_taskleak.audit.calls import LATER
from pytest_taskleak.audit.locals import Locals
from pytest_taskleak.audit.names import Names
from pytest_taskleak.audit.sites import Fate
from pytest_taskleak.audit.source import Scope

MOST_DEPTH = 12
THROUGH = (
    *(ast.Starred, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.BoolOp, ast.BinOp, ast.keyword),
    *(ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp, ast.Slice),
)
"""Expressions whose value holds what they are made of."""
LOOKS = (ast.Compare, ast.UnaryOp, ast.FormattedValue, ast.If, ast.While, ast.Assert, ast.Delete, ast.IfExp)
"""What only looks at a value."""
PASSES = frozenset({
    *("asyncio.gather", "asyncio.wait", "asyncio.wait_for", "asyncio.shield", "asyncio.as_completed"),
    *("asyncio.ensure_future", "asyncio.wrap_future", "typing.cast", "cast", "functools.partial"),
    *("list", "set", "tuple", "frozenset", "dict", "sorted", "reversed", "iter", "next", "enumerate"),
    *("zip", "filter", "map", "itertools.chain"),
})  # fmt: skip
"""Functions whose result holds what they are given."""
RUNS = frozenset({"asyncio.run", "run_until_complete"})
GLANCES = frozenset({
    *("print", "str", "repr", "id", "len", "isinstance", "bool", "hash", "type", "any", "all", "hasattr"),
    *("weakref.finalize", "debug", "info", "warning", "error", "critical", "exception", "log"),
})  # fmt: skip
"""Functions that keep nothing of what they are given."""
ADDS = ("append", "add", "insert", "put", "put_nowait", "appendleft", "extend", "update", "setdefault")
ENDS = {"cancel": "cancelled", "join": "joined"}
ASKS = ("result", "exception", "wait")
GIVES = ("pop", "popleft", "get", "values", "items", "copy", "keys", "popitem", "get_nowait")
"""Methods of a collection that give out what is in it."""
TOUCHES = frozenset({
    *("add_done_callback", "remove_done_callback", "set_name", "get_name", "get_coro", "get_loop"),
    *("cancelled", "cancelling", "uncancel", "print_stack", "get_stack", "start", "is_alive", "when"),
    *("done", "setDaemon", "daemon", "name", "ident", "discard", "remove", "clear", "setName", "run"),
    *ADDS,
})  # fmt: skip
"""Methods and attributes by which nobody comes to hold the thing."""


class Uses:
    """Follows references in one file.

    Parameters:
        names: the names of the file.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.source = names.source
        self.locals = Locals(self)

    def of(self, node: ast.AST, depth: int = MOST_DEPTH) -> Fate:
        """Return what becomes of the value of an expression."""
        parent = self.source.parents.get(node)
        while depth > 0 and parent is not None:
            depth -= 1
            if isinstance(parent, ast.Call):
                found = self._argument(parent, node, depth)
                if found is not None:
                    return found
            elif isinstance(parent, ast.Subscript):
                if node is not parent.value:
                    return self._key(parent)
            elif isinstance(parent, ast.IfExp) and node is not parent.test:
                pass
            elif isinstance(parent, ast.NamedExpr):
                bound = self.locals.bound(parent.target, parent, depth)
                return bound.better(self.of(parent, depth))
            elif not isinstance(parent, THROUGH):
                return self._ends(parent, node, depth)
            node, parent = parent, self.source.parents.get(parent)
        return Fate("handed", "on")

    def _ends(self, parent: ast.AST, node: ast.AST, depth: int) -> Fate:
        """Return the fate where the expression is over."""
        if isinstance(parent, ast.Await):
            return Fate("awaited")
        if isinstance(parent, ast.Expr):
            return Fate("dropped")
        if isinstance(parent, ast.Return):
            return Fate("returned")
        if isinstance(parent, ast.Attribute):
            return self._member(parent, depth)
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            return Fate("dropped", "only written")
        if isinstance(parent, ast.Assign):
            return self._assigned(parent, depth)
        if isinstance(parent, ast.AnnAssign | ast.AugAssign):
            return self.target(parent.target, parent, depth)
        if isinstance(parent, ast.Lambda):
            return self._lambda(parent)
        if isinstance(parent, ast.For | ast.AsyncFor | ast.comprehension):
            if node is not parent.iter:
                return Fate("dropped", "only looked at")
            return self.locals.each(parent, depth)
        if isinstance(parent, LOOKS):
            return Fate("dropped", "only looked at")
        if isinstance(parent, ast.arguments):
            return Fate("kept", "as a default")
        if isinstance(parent, ast.Yield | ast.YieldFrom):
            return Fate("handed", "to whoever iterates")
        return Fate("handed", "on")

    # --- calls --------------------------------------------------------------------------------------

    def _argument(self, call: ast.Call, node: ast.AST, depth: int) -> Fate | None:
        """Return the fate of what a function is given, `None` where it is that of the function's result."""
        if node is call.func:
            return None
        dotted = self.names.dotted(call.func)
        last = dotted.rpartition(".")[2]
        if dotted in PASSES:
            return None
        if dotted in RUNS or last in RUNS:
            return Fate("awaited")
        if isinstance(call.func, ast.Attribute) and last in ADDS:
            return self.container(call.func.value, call, depth)
        if dotted == "weakref.ref":
            return Fate("weak", "by weakref.ref()")
        if dotted in GLANCES or (last in GLANCES and isinstance(call.func, ast.Attribute)):
            return Fate("dropped", f"after {last}()")
        if dotted == "setattr":
            return Fate("kept", "in an attribute")
        return Fate("handed", f"to {self.shown(call.func)}()")

    def _member(self, member: ast.Attribute, depth: int) -> Fate:
        """Return the fate of a thing of which an attribute is read, or a method is called."""
        name = member.attr
        call = self.source.parents.get(member)
        if not (isinstance(call, ast.Call) and call.func is member):
            if name in TOUCHES or name in ENDS or name in ASKS:
                return self._method_kept(name, call)
            return Fate("handed", f"as .{name}")
        line = member.end_lineno or member.lineno
        if name in ENDS:
            return Fate("ended", f"{ENDS[name]} on line {line}")
        if name in ASKS or (name == "done" and self._polls(call)):
            return Fate("awaited", f".{name}() on line {line}")
        if name in GIVES:
            return self.of(call, depth)
        if name in TOUCHES:
            return Fate("dropped", f"after .{name}()")
        return Fate("handed", f"to its .{name}()")

    def _polls(self, call: ast.Call) -> bool:
        """Tell whether `while not task.done():` asks again and again."""
        below: ast.AST = call
        for parent in self.source.up(call):
            if isinstance(parent, ast.While):
                return below is parent.test
            if isinstance(parent, ast.stmt):
                return False
            below = parent
        return False

    @staticmethod
    def _method_kept(name: str, parent: ast.AST | None) -> Fate:
        """Return the fate of a thing whose bound method, as `task.cancel`, is handed to somebody."""
        if name in ENDS and isinstance(parent, ast.Call | ast.keyword | ast.Assign | ast.Return):
            return Fate("handed", f"as .{name}")
        return Fate("dropped", f"after .{name}")

    def _lambda(self, function: ast.Lambda) -> Fate:
        call = self.source.parents.get(function)
        if isinstance(call, ast.Call) and function is not call.func:
            last = self.names.dotted(call.func).rpartition(".")[2]
            if last in LATER:
                return Fate("dropped", f"by {last}(), which drops what the lambda returns")
        return Fate("returned", "by a lambda")

    # --- places -------------------------------------------------------------------------------------

    def _assigned(self, assign: ast.Assign, depth: int) -> Fate:
        best = self.target(assign.targets[0], assign, depth)
        for target in assign.targets[1:]:
            best = best.better(self.target(target, assign, depth))
        return best

    def target(self, target: ast.expr, statement: ast.AST, depth: int) -> Fate:
        """Return the fate of what is bound to a target."""
        if isinstance(target, ast.Name):
            return self.locals.bound(target, statement, depth)
        if isinstance(target, ast.Attribute):
            return Fate("kept", f"in {self.shown(target)}", target.attr)
        if isinstance(target, ast.Subscript):
            return self._key(target, depth)
        if isinstance(target, ast.Starred):
            return self.target(target.value, statement, depth)
        if isinstance(target, ast.Tuple | ast.List):
            best = Fate("dropped")
            for part in target.elts:
                best = best.better(self.target(part, statement, depth))
            return best
        return Fate("handed", "on")

    def _key(self, subscript: ast.Subscript, depth: int = MOST_DEPTH) -> Fate:
        """Return the fate of what becomes a value, or a key, of a mapping."""
        return self.container(subscript.value, subscript, depth)

    def container(self, box: ast.expr, node: ast.AST, depth: int) -> Fate:
        """Return the fate of what is put into a collection."""
        if self._is_weak(box):
            return Fate("weak", f"in {self.shown(box)}")
        if isinstance(box, ast.Subscript):
            return self.container(box.value, node, depth)
        if isinstance(box, ast.Attribute):
            return Fate("kept", f"in {self.shown(box)}", box.attr)
        if isinstance(box, ast.Name):
            return self.locals.collected(box, node, depth)
        return Fate("handed", f"to {self.shown(box)}")

    def _is_weak(self, box: ast.expr) -> bool:
        made = (origin.rpartition(".")[2] for origin in self.names.origins(box))
        return any(name in ("WeakSet()", "WeakValueDictionary()", "WeakKeyDictionary()") for name in made)

    @staticmethod
    def shown(node: ast.expr) -> str:
        """Return an expression as text, short."""
        text = ast.unparse(node)
        return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 -- a column's width

    def name_of(self, scope: Scope) -> str:
        """Return the name of a function for a sentence."""
        return self.source.name_of(scope).rpartition(".")[2]
