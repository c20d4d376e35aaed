"""Does every row of the table have its test?"""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
WITH_MISTAKE = {2, 10, 11, 12, 28, 31, 35, 40, 41, 62, 63}


def row_tests() -> dict[str, ast.FunctionDef]:
    """Return the tests of rows by name."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("test_*.py"))]
    return {
        node.name: node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_row_")
    }


def row(name: str) -> int:
    """Return the number of a test's row."""
    found = re.fullmatch(r"test_row_(\d\d)_[a-z0-9_]+", name)
    assert found, name
    return int(found[1])


def test_every_row_has_a_test() -> None:
    assert {row(name) for name in row_tests()} == {*range(1, 46), 62, 63, 64}


def test_every_row_with_a_mistake_fails_for_its_twin() -> None:
    """Such a test calls one check twice, the second time under `pytest.raises(AssertionError, match=...)`."""
    found = set()
    for name, node in row_tests().items():
        calls = {
            c.func.id for c in ast.walk(node) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)
        }
        for block in (inner for inner in ast.walk(node) if isinstance(inner, ast.With)):
            raises = ast.unparse(block.items[0].context_expr)
            inside = {
                c.func.id for c in ast.walk(block) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)
            }
            if (
                raises.startswith("pytest.raises(AssertionError, match=")
                and inside <= calls
                and len(inside) == 1
            ):
                found.add(row(name))
    assert found >= WITH_MISTAKE
