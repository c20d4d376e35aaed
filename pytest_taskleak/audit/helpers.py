"""Which functions of the user make tasks for others, and who calls them?

A helper returns what it made, or runs a coroutine that it was given.  The code that calls it is a site too:
there, something is begun whose end somebody must see.  A decorator whose inner function is a helper makes
helpers of what it decorates.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_taskleak.audit.excuses import excuse
from pytest_taskleak.audit.scan import Scan
from pytest_taskleak.audit.sites import Fate, Kind, Site
from pytest_taskleak.audit.source import FUNCTIONS, Function, end_of, parameters

KEEPS = frozenset({"awaited", "group", "ended", "kept", "handed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """A function that makes something for its callers.

    Parameters:
        path: its file.
        module: the dotted name of that.
        qualname: its qualified name.
        fate: what becomes, in it, of what it makes.
        kind: what it makes.
        base: what it calls to make it.
        awaits: it is a coroutine function.
        decorated: whether it is one by a decorator, which stands for what is called.
        sure: whether it is known to make something.
    """

    path: str
    module: str
    qualname: str
    fate: Fate
    kind: Kind
    base: str
    awaits: bool
    decorated: str = ""
    sure: bool = True

    @property
    def name(self) -> str:
        """The last part of its name."""
        return self.qualname.rpartition(".")[2]

    @property
    def word(self) -> str:
        """Whether it keeps what it makes, returns it, or neither."""
        if self.fate.how == "returned":
            return "returns"
        return "keeps" if self.fate.how in KEEPS else "bare"


class Helpers:
    """The helpers of a project."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Helper] = {}

    def add(self, helper: Helper) -> bool:
        """Add a helper; tell whether it is new."""
        key = (helper.path, helper.qualname)
        if key in self.known:
            return False
        self.known[key] = helper
        return True

    def mark(self, site: Site) -> Site:
        """Return a site that says whether its function is a helper."""
        helper = self.known.get((site.path, site.qualname))
        return replace(site, helper=helper.word) if helper is not None and not helper.decorated else site

    def around(self, scan: Scan, call: ast.Call, site: Site) -> list[Helper]:
        """Return the helpers that a site makes of the functions around it."""
        function = scan.source.function_of(call)
        if function is None or scan.source.qualname(call) != site.qualname or is_test(function):
            return []
        if site.fate.how != "returned" and not (generic(scan, call, function) and not site.via):
            return []
        helper = Helper(
            path=scan.source.path,
            module=scan.module,
            qualname=site.qualname,
            fate=site.fate,
            kind=site.kind,
            base=site.base or site.call,
            awaits=isinstance(function, ast.AsyncFunctionDef),
            sure=site.sure,
        )
        outer = list(scan.source.functions_of(function))
        return [helper, *(self._decorated(scan, function, outer, helper) if outer else ())]

    def _decorated(
        self, scan: Scan, inner: Function, outer: list[Function], helper: Helper
    ) -> Iterator[Helper]:
        """Yield the functions of the same file that a decorator makes helpers of."""
        if not returns(outer[0], inner.name):
            return
        name = outer[-1].name
        for node in scan.source.parents:
            if isinstance(node, FUNCTIONS):
                used = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
                if any(scan.names.dotted(d) == name for d in used):
                    qualname = scan.source.name_of(node)
                    yield replace(helper, qualname=qualname, decorated=f"@{name}")

    def sites(self, scan: Scan) -> Iterator[Site]:
        """Yield the calls of known helpers in a file."""
        for call in scan.source.calls.values():
            helper = self.called(scan, call)
            if helper is not None and scan.source.qualname(call) != helper.qualname:
                yield self.site(scan, call, helper)

    def called(self, scan: Scan, call: ast.Call) -> Helper | None:
        """Return the helper that a call calls, if that is certain."""
        dotted = scan.names.dotted(call.func)
        if dotted.startswith(("self.", "cls.")) and dotted.count(".") == 1:
            around = scan.source.class_of(call)
            method = dotted.partition(".")[2]
            name = f"{scan.source.name_of(around)}.{method}" if around is not None else ""
            return self.known.get((scan.source.path, name))
        if "?" in dotted or "()" in dotted:
            return None
        if isinstance(call.func, ast.Name):
            for function in scan.source.functions_of(call):
                inner = f"{scan.source.name_of(function)}.<locals>.{dotted}"
                if (scan.source.path, inner) in self.known:
                    return self.known[scan.source.path, inner]
        here = self.known.get((scan.source.path, dotted))
        if here is not None:
            return here
        imported = root_of(call.func) in scan.names.imports and "." in dotted
        return next((h for h in self.known.values() if matches(h, dotted)), None) if imported else None

    def site(self, scan: Scan, call: ast.Call, helper: Helper) -> Site:
        """Return the site that the call of a helper is."""
        own = scan.called(call, awaits=helper.awaits)
        if helper.word == "keeps":
            fate = Fate(own.how, own.detail, own.attribute) if not own.lost else kept_by(helper)
        elif helper.word == "bare":
            fate = Fate("handed", f"to {helper.name}(), which loses it: see there")
        else:
            fate = own
        given = {keyword.arg for keyword in call.keywords}
        return Site(
            path=scan.source.path,
            line=call.lineno,
            end=end_of(call),
            qualname=scan.source.qualname(call),
            kind=helper.kind,
            call=f"{ast.unparse(call.func)}()",
            named=True if given & {"name", "task_name"} else None,
            fate=fate,
            awaits=scan.awaits(fate.attribute) if fate.how == "kept" else "",
            sure=helper.sure,
            excuse=excuse(scan.source, call, by_ruff=False),
            near=scan.near(call) if fate.lost else "",
            via=f"{helper.decorated} {helper.qualname}".strip(),
            base=helper.base,
        )


def kept_by(helper: Helper) -> Fate:
    """Return the fate of what a caller drops and a helper sees to."""
    detail = f"by {helper.name}(), {helper.fate.detail}".rstrip(", ")
    how = helper.fate.how if helper.fate.how in ("awaited", "group", "ended") else "kept"
    return Fate(how, detail, helper.fate.attribute)


def generic(scan: Scan, call: ast.Call, function: Function) -> bool:
    """Tell whether a call runs what the function, or one around it, was given."""
    if not call.args:
        return False
    first = call.args[0]
    while isinstance(first, ast.Call):
        first = first.func
    if not isinstance(first, ast.Name):
        return False
    given = {arg.arg for arg in parameters(function)}
    for outer in scan.source.functions_of(function):
        given |= {arg.arg for arg in parameters(outer)}
    return first.id in given - {"self", "cls"}


def is_test(function: Function) -> bool:
    """Tell whether a function is a test, which is called by no code of the user."""
    return function.name.startswith("test")


def returns(function: Function, name: str) -> bool:
    """Tell whether a function returns one of its own by name."""
    return any(
        isinstance(node, ast.Return) and isinstance(node.value, ast.Name) and node.value.id == name
        for node in ast.walk(function)
    )


def root_of(node: ast.expr) -> str:
    """Return the name that a chain of attributes begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def matches(helper: Helper, dotted: str) -> bool:
    """Tell whether a dotted name, as imported elsewhere, means a helper."""
    full = f"{helper.module}.{helper.qualname}"
    return (
        full == dotted
        or full.endswith(f".{dotted}")
        or (dotted.endswith(f".{full}") and dotted.count(".") - full.count(".") <= 1)
    )
