"""What does the storm find in public libraries, and does each reproduction on the page show what it says?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_taskleak.engine.unwatched import unwatched

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from libraries.every import MODULES, cases, installed

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "storms-in-public-code.md"
REPRODUCTION = re.compile(
    r"^<!-- needs: (?P<package>\S+) -->\n```python\n(?P<code>.*?)^```\n\n```text\n(?P<shown>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
TRUE_BUGS = 9
SEEDS = (0, 3)


@pytest.mark.parametrize("package", MODULES)
def test_each_axis_finds_what_is_known(package: str) -> None:
    if not installed(package):
        pytest.skip(f"{package} is not installed")
    with unwatched():
        for case in cases(package):
            for seed in SEEDS:
                report, letters = case.swept(seed)
                assert letters == case.expect, f"{case.what}: {report.causes}"
                assert report.deterministic, report.divergence
                assert report.complete


def reproductions() -> list[tuple[str, str, str]]:
    text = PAGE.read_text(encoding="utf-8")
    return [(m["package"], m["code"], m["shown"]) for m in REPRODUCTION.finditer(text)]


@pytest.mark.parametrize(("package", "code", "shown"), reproductions())
def test_a_plain_script_shows_it(package: str, code: str, shown: str, tmp_path: Path) -> None:
    if not installed(package):
        pytest.skip(f"{package} is not installed")
    assert "taskleak" not in code
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "page.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout == shown, done.stderr


def test_the_page_has_them() -> None:
    found = reproductions()
    assert len(found) == TRUE_BUGS
    assert {package for package, _, _ in found} <= MODULES.keys()
    assert len(re.findall(r"^<!-- needs", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == TRUE_BUGS


@pytest.mark.parametrize("package", MODULES)
def test_the_page_names_each_library(package: str) -> None:
    assert re.search(rf"^\| {re.escape(package)} \d", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
