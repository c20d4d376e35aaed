"""What the docs say is what the code does: tables in step, snippets run, shown output real.

A snippet that is run has a comment on the line above its fence:

    <!-- run: pytest --taskleak => 1 failed, 2 passed -->     (a test file, and its outcomes)
    <!-- run: pytest test_feed.py => 1 failed -->             (the same, under a name of its own)
    <!-- run: python -->                                      (a script that ends well)
    <!-- file: conftest.py -->                                (lies beside the page's next snippet that is run)
    <!-- shows -->                                            (what the snippet before printed; `...` stands for any lines)
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from pytest_taskleak.detectors import built_in, codes_of
from pytest_taskleak.diagnostics import CODES as OWN
from pytest_taskleak.explain.causes import CAUSES
from pytest_taskleak.options import OPTIONS, SWITCHES

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
CODES = {**codes_of(built_in()), **OWN}
HIDDEN = {"_build", "_generated", "news"}
FENCE = re.compile(
    r"^<!-- (?P<verb>run|file|shows)(?:: (?P<what>.*?))? -->\n```\w*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
EXAMPLES = {
    "first_leak": README,
    "custom_detector": ROOT / "examples" / "custom_detector" / "README.md",
    "deadlock": ROOT / "docs" / "tutorial" / "first-deadlock.md",
    "fake_clock": ROOT / "docs" / "tutorial" / "first-fake-clock.md",
    "background_tasks": ROOT / "docs" / "explanation" / "task-groups.md",
    "shutdown_storm": ROOT / "examples" / "shutdown_storm" / "README.md",
    "storm_reference": ROOT / "examples" / "storm_reference" / "README.md",
    "storm_asgi": ROOT / "examples" / "storm_asgi" / "README.md",
}
"""Each example, with the page that shows its output."""
SHOWN = r"(<!-- output of examples/{} -->\n```text\n)(.*?)(^```$)"
QUIET = ("-rA", "-o", "asyncio_default_fixture_loop_scope=function", "-o", "asyncio_mode=auto")
TOOK = re.compile(r"\bin \d+\.\d+ ?s\b")


@dataclass(frozen=True)
class Snippet:
    """Code on a page that is run, with the files that lie beside it."""

    where: str
    command: str
    code: str
    files: dict[str, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)


def pages() -> list[Path]:
    docs = (path for path in (ROOT / "docs").rglob("*.md") if not HIDDEN & set(path.parts))
    return [path for path in (README, *sorted(docs)) if path.exists()]


def snippets() -> list[Snippet]:
    found: list[Snippet] = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        files: dict[str, str] = {}
        for match in FENCE.finditer(text):
            if match["verb"] == "file":
                files[match["what"]] = match["code"]
            elif match["verb"] == "shows":
                found[-1].shown.extend(re.split(r"^\.\.\.\n", match["code"], flags=re.MULTILINE))
            else:
                line = text.count("\n", 0, match.start()) + 1
                where = f"{page.relative_to(ROOT).as_posix()}:{line}"
                found.append(Snippet(where, match["what"], match["code"], files))
                files = {}
    return found


def script(path: str) -> ModuleType:
    """Load a file that is no part of a package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain_environment() -> dict[str, str]:
    """Return what a user has who installed this plugin alone; one width, no colours."""
    ours = re.compile(r"BUILD_NUMBER|CI|COLUMNS|FORCE_COLOR|NO_COLOR|PY_COLORS|(PYTEST|PYTHON|TASKLEAK).*")
    return {
        **{name: value for name, value in os.environ.items() if not ours.fullmatch(name)},
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_asyncio.plugin,pytest_taskleak.plugin",
    }


# --- snippets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("snippet", snippets(), ids=lambda snippet: snippet.where)
def test_snippet_does_what_the_page_says(snippet: Snippet, tmp_path: Path) -> None:
    command, _, outcomes = snippet.command.partition(" => ")
    tool, *arguments = shlex.split(command)
    files = {"pytest.ini": "[pytest]\n"} if "pyproject.toml" not in snippet.files else {}
    plain = "test_page.py" if tool == "pytest" else "page.py"
    name = next((argument for argument in arguments if argument.endswith(".py")), plain)
    for path, text in {**files, **snippet.files, name: snippet.code}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    launch = ["-m", "pytest", *QUIET, *arguments] if tool == "pytest" else [*arguments, name]
    done = subprocess.run(
        [sys.executable, "-P", *launch],
        cwd=tmp_path,
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    if tool == "pytest":
        assert pytest.RunResult.parse_summary_nouns(output.splitlines()) == outcome_counts(outcomes), output
    else:
        assert done.returncode == 0, output
    rest = TOOK.sub("in 0.05s", output)
    for part in snippet.shown:
        before, found, rest = rest.partition(TOOK.sub("in 0.05s", part))
        assert found, f"not printed, or in another order:\n{part}\nin:\n{before}"


def outcome_counts(text: str) -> dict[str, int]:
    """Read "1 failed, 2 passed" as pytest's own parser does."""
    plural = {"error": "errors", "warning": "warnings"}
    found: list[tuple[str, str]] = re.findall(r"(\d+) (\w+)", text)
    return {plural.get(noun, noun): int(number) for number, noun in found}


def test_pages_have_snippets_that_are_run() -> None:
    assert any(snippet.where.startswith("docs/tutorial/") for snippet in snippets())


def test_every_comment_that_asks_for_a_run_is_understood() -> None:
    """A typo in a comment must not make a snippet silently unproved."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        asked = len(re.findall(r"^<!-- *(?:run|file|shows)\b", text, re.MULTILINE))
        assert len(FENCE.findall(text)) == asked, page


# --- the README ---------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
def test_readme_shows_the_real_output_of_the_example(example: str) -> None:
    """To renew it: TASKLEAK_RENEW=1 pytest tests/test_docs.py -k readme."""
    demo = script(f"examples/{example}/run.py").demo
    real = TOOK.sub("in 0.05s", demo(sys.executable, plain_environment())).strip()
    page = EXAMPLES[example]
    text = page.read_text(encoding="utf-8")
    shown = re.search(SHOWN.format(example), text, re.MULTILINE | re.DOTALL)
    assert shown, f"{page} has no output of examples/{example}"
    if os.environ.get("TASKLEAK_RENEW"):
        page.write_text(text.replace(shown[0], f"{shown[1]}{real}\n{shown[3]}"), encoding="utf-8")
    else:
        assert TOOK.sub("in 0.05s", shown[2]).strip() == real


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_leaks_as_its_script_expects(example: str) -> None:
    run = script(f"examples/{example}/run.py")
    output = run.demo(sys.executable, plain_environment())
    assert [word for word in run.EXPECTED if word not in output] == [], output


def test_a_detector_is_under_forty_lines() -> None:
    source = (ROOT / "examples" / "custom_detector" / "connections.py").read_text(encoding="utf-8")
    code = [line for line in source.partition('"""\n')[2].splitlines() if line.strip()]
    assert len(code) < 40


def test_readme_names_both_commands() -> None:
    for example, page in EXAMPLES.items():
        assert f"python3 examples/{example}/run.py\n" in page.read_text(encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    assert "python3 tests/run.py\n" in text


# --- tables -------------------------------------------------------------------------------------


def test_the_reference_tells_every_option() -> None:
    page = script("docs/_ext/taskleak_tables.py").options_page(OPTIONS)
    for option in OPTIONS:
        assert option.help
        assert f"`{option.name or option.flag}`" in page
        assert option.flag is None or f"`{option.flag}`" in page


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_reference_tells_every_code(code: str) -> None:
    page = script("docs/_ext/taskleak_tables.py").codes_page(CODES)
    row = CODES[code]
    assert re.fullmatch(r"TL[1-9]\d\d", code)
    assert all(text.strip() for text in (row.title, row.meaning, row.cause, row.cure))
    assert f"({code})=\n\n## {code}: {row.title}\n" in page


@pytest.mark.parametrize("slug", CAUSES)
def test_the_reference_tells_every_cause(slug: str) -> None:
    page = script("docs/_ext/taskleak_tables.py").causes_page(CAUSES)
    row = CAUSES[slug]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)
    assert all(text.strip() for text in (row.title, row.why, row.cure, row.example))
    assert f"(cause-{slug})=\n\n## {row.title}\n" in page


def test_every_cause_that_the_package_chooses_is_in_the_table() -> None:
    """A slug that is chosen and has no row would be told without its cure."""
    source = (ROOT / "pytest_taskleak" / "explain" / "choosing.py").read_text(encoding="utf-8")
    source += (ROOT / "pytest_taskleak" / "engine" / "diagnosing.py").read_text(encoding="utf-8")
    missing = [slug for slug in CAUSES if f'"{slug}"' not in source]
    assert missing == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_speaks_of_things_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"\bTL\d{3}\b", text))
    assert named <= set(CODES)
    flags = {*SWITCHES, *(option.flag for option in OPTIONS)}
    assert set(re.findall(r"(?<![\w-])--taskleak(?:-[a-z]+)*", text)) <= flags
    keys = {"verbosity_taskleak", *(option.name for option in OPTIONS)}
    code = "\n".join(re.findall(r"^taskleak_\w+(?= *=)|^verbosity_taskleak", text, re.MULTILINE))
    assert set(code.split()) <= keys


def test_every_code_that_the_package_names_is_in_the_table() -> None:
    used: set[str] = set()
    for path in (ROOT / "pytest_taskleak").rglob("*.py"):
        used |= set(re.findall(r"\bTL\d{3}\b", path.read_text(encoding="utf-8")))
    assert used == set(CODES)


# --- the house ----------------------------------------------------------------------------------


def test_every_decision_record_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "index.md").read_text(encoding="utf-8")
    records = sorted(path.stem for path in folder.glob("[0-9]*.md"))
    assert [line for line in index.splitlines() if line[:1].isdigit()] == records


def test_actions_are_pinned_by_commit_with_their_version() -> None:
    pinned = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)+$")
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        for line in workflow.read_text(encoding="utf-8").splitlines():
            assert "uses:" not in line or pinned.search(line), f"{workflow.name}: {line.strip()}"
        assert "\npermissions: {}\n" in workflow.read_text(encoding="utf-8"), workflow.name
