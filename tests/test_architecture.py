"""The house of docs/explanation/architecture.md, held to: who imports whom, and how large a room is."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "pytest_taskleak"
HOUSE = Path(__file__).resolve().parent.parent / PACKAGE

BASE = frozenset({"diagnosis", "model", "safely", "timing"})
DOOR = frozenset({
    "engine", "report", "options", "hooks", "adapt", "diagnostics", "blocks", "clock", "groups", "storm",
})  # fmt: skip
# The pytest side (ADR 3): what stands between the hooks and the engine.
PYTEST_SIDE = frozenset({
    "auditing", "clocking", "dumping", "exiting", "grouping", "hanging", "phases", "reading", "stalling", "starting", "state",
    "storming", "storming_marks", "storming_parts", "telling", "values", "watching",
})  # fmt: skip

# A room may import itself and these.  `room.part` allows one file of a room only.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "__init__": BASE | DOOR | {"fixtures", "loops", "testing"},
    "plugin": BASE
    | {
        "clock",
        "clocking",
        "fixtures",
        "grouping",
        "groups",
        "hooks",
        "options",
        "starting",
        "storming",
        "storming_parts",
    },
    "fixtures": BASE | DOOR | {"judge", "state"},
    "phases": BASE | {"adapt", "diagnostics", "engine", "judge"},
    "reading": BASE | {"adapt", "options", "judge", "values"},
    "values": BASE | {"judge", "options"},
    "starting": BASE | DOOR | PYTEST_SIDE | {"detectors", "judge"},
    "watching": BASE | {"adapt", "engine", "phases", "stalling", "state", "telling"},
    "state": BASE | {"clock", "engine", "grouping", "judge", "reading"},
    "telling": BASE | {"adapt", "diagnostics", "report"},
    "clocking": BASE | {"adapt", "clock", "loops", "state"},
    "storming": BASE | {"adapt", "engine", "report", "state", "storm", "storming_parts"},
    "storming_parts": BASE | {"options", "state", "values"},
    "storming_marks": BASE | {"adapt", "storm", "storming"},
    "grouping": BASE | {"adapt", "diagnostics", "engine", "groups", "state"},
    "auditing": BASE | {"adapt", "audit", "options"},
    "dumping": BASE | {"adapt", "engine", "report.story"},
    "hanging": BASE | {"adapt", "diagnostics", "dumping", "engine"},
    "stalling": BASE | {"adapt", "dumping", "engine", "hanging"},
    "exiting": BASE | {"adapt", "dumping", "engine", "explain"},
    "blocks": BASE | {"engine", "detectors", "adapt", "diagnostics", "judge", "options", "report.text"},
    "options": BASE | {"diagnostics", "judge"},
    "hooks": BASE | {"detectors.base"},
    "diagnostics": BASE,
    "testing": BASE | {"conformance", "engine", "detectors", "adapt", "diagnostics", "storm", "groups"},
    "conformance": BASE | {"engine", "detectors", "adapt", "diagnostics", "judge", "explain"},
    "diagnosis": frozenset(),
    "model": frozenset({"diagnosis"}),
    "timing": frozenset(),
    "safely": frozenset(),
    "engine": BASE | {"detectors.base", "judge", "explain", "adapt"},
    "detectors": BASE | {"adapt"},
    "judge": BASE,
    "explain": BASE | {"adapt"},
    "adapt": BASE,
    "report": frozenset({"diagnosis", "model"}),
    "loops": BASE | {"adapt"},
    "groups": BASE | {"adapt"},
    "clock": BASE | {"adapt", "engine", "loops"},
    "audit": BASE | {"adapt", "detectors.base", "engine.patch"},
    "storm": BASE | {"adapt", "loops"},
}

# A foreign library, and the only places that may import it.
PYTEST_ROOMS = (
    "plugin", "auditing", "clocking", "options", "fixtures", "hooks", "diagnostics", "testing", "reading", "values", "starting", "state", "telling", "watching",
    "dumping", "exiting", "grouping", "hanging", "stalling", "storming", "storming_marks", "storming_parts", "report.terminal", "adapt.pytest_asyncio", "adapt.xdist",
)  # fmt: skip
CONFINED: dict[str, tuple[str, ...]] = {
    "pytest": PYTEST_ROOMS,
    "_pytest": PYTEST_ROOMS,
    "pluggy": PYTEST_ROOMS,
    "psutil": ("detectors", "storm"),
    "time_machine": ("adapt.time_machine",),
    "objgraph": ("explain.retention", "storm"),
    **dict.fromkeys(
        ("aiohttp", "anyio", "pytest_aiohttp", "pytest_asyncio", "trio", "uvloop", "xdist"),
        ("adapt", "loops", "storm"),
    ),
}
PURE = ("diagnosis", "model", "safely", "timing")
LINES = {"plugin": 200}
MOST_LINES = 300
MOST_FUNCTION_LINES = 60


@dataclass(frozen=True)
class Module:
    """One file of the package, named from the package's root: `engine.owner`."""

    name: str
    path: Path

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"), filename=str(self.path))

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield line and full name of everything imported, type-checking blocks included."""
        package = [PACKAGE, *self.name.split(".")]
        if self.path.name != "__init__.py":
            package.pop()
        elif self.name == "__init__":
            package = [PACKAGE]
        for node in ast.walk(self.tree()):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                source = ".".join([*above, *filter(None, [node.module])])
                yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)

    def inside(self) -> Iterator[tuple[int, str]]:
        """Yield line and name, from the package's root, of the imported modules of this package."""
        for line, full in self.imports():
            root, _, name = full.partition(".")
            if root == PACKAGE:
                yield line, nearest_module(name)


@cache
def modules() -> tuple[Module, ...]:
    found = []
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found.append(Module(name, path))
    return tuple(found)


def nearest_module(name: str) -> str:
    """`engine.owner.Scope` is a name of the module `engine.owner`; "" is the package's root."""
    known = {module.name for module in modules()}
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def within(name: str, places: tuple[str, ...] | frozenset[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


each_module = pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)


def test_every_room_is_in_the_plan() -> None:
    assert {module.room for module in modules()} <= set(MAY_IMPORT)


@each_module
def test_arrows_point_down_only(module: Module) -> None:
    allowed = MAY_IMPORT[module.room] | {module.room}
    wrong = [f"line {line}: {name}" for line, name in module.inside() if name and not within(name, allowed)]
    assert wrong == [], f"{module.room} may import {sorted(allowed)}"


@each_module
def test_nothing_inside_imports_from_the_door(module: Module) -> None:
    if module.name != "__init__":
        assert [line for line, name in module.inside() if not name or name == "__init__"] == []


@each_module
def test_a_detector_knows_no_other_detector(module: Module) -> None:
    if module.room == "detectors" and module.name != "detectors":
        own = (module.name, "detectors.base")
        wrong = [
            name for _, name in module.inside() if within(name, ("detectors",)) and not within(name, own)
        ]
        assert wrong == []


@each_module
def test_foreign_libraries_stay_in_their_rooms(module: Module) -> None:
    wrong = []
    for line, name in module.imports():
        places = CONFINED.get(name.partition(".")[0])
        if places is not None and not within(module.name, places):
            wrong.append(f"line {line}: {name}, allowed in {', '.join(places)}")
    assert wrong == []


@each_module
def test_the_values_need_the_standard_library_only(module: Module) -> None:
    if module.room in PURE:
        roots = {name.partition(".")[0] for _, name in module.imports()} - {"__future__", PACKAGE}
        assert roots <= sys.stdlib_module_names


@each_module
def test_a_module_is_read_on_a_few_screens(module: Module) -> None:
    lines = module.path.read_text(encoding="utf-8").count("\n")
    assert lines <= LINES.get(module.name, MOST_LINES)


@each_module
def test_a_function_fits_a_screen(module: Module) -> None:
    long = [
        f"{node.name}: {size} lines"
        for node in ast.walk(module.tree())
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_FUNCTION_LINES
    ]
    assert long == []


@each_module
def test_a_module_says_which_question_it_answers(module: Module) -> None:
    assert ast.get_docstring(module.tree()), "no docstring"


def test_loading_the_plugin_loads_no_heavy_library() -> None:
    """The plugin is loaded in every run of pytest, also where the watch is off."""
    code = (
        "import sys, pytest; before = set(sys.modules); import pytest_taskleak.plugin;"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = set(CONFINED) - {"pytest", "_pytest", "pluggy"} | {"sqlite3", "xml", "http"}
    assert heavy & set(done.stdout.split()) == set()
