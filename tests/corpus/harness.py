"""Reads the labelled cases, runs one of them in a process of its own and compares what was found with its label.

``python tests/corpus/harness.py`` runs them all and prints the table; ``--plain`` runs them without the plugin, to see
that the cases themselves are sound. The words of a case's header are told in ``README.md``.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from diagnoses import (  # type: ignore[import-not-found]  # found above
    OF_FINDING,
    OF_GRAPHS,
    Drawn,
    LabelError,
    Told,
    diagnosis_problems,
    graph_problems,
    read_drawn,
    read_told,
)

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
KINDS = tuple(
    sorted(p.name for p in HERE.iterdir() if p.is_dir() and p.name.isidentifier() and any(p.glob("*.py")))
)
KEYS = (
    "expect",
    "maybe",
    *OF_FINDING,
    *OF_GRAPHS,
    "why",
    "runner",
    "needs",
    "args",
    "outcome",
    "with",
    "plain",
)
EXTRAS = ("what", "born", "on", "severity", "cause", "finality")
MAY_FAIL = "may fail"
PLUGINS = {"pytest-asyncio": "asyncio", "anyio": "anyio", "pytest-aiohttp": "aiohttp"}
SEVERITIES = ("fail", "warn", "note")
TIMEOUT = 60.0
FINDING = re.compile(r"(?P<codes>TL\d{3}(?:\|TL\d{3})*) (?P<owner>\S+)(?P<extras>(?: \w+=\S+)*)")


@dataclass(frozen=True)
class Expected:
    codes: frozenset[str]
    owner: str
    what: str | None = None
    born: str | None = None
    on: str | None = None
    severity: str = "fail"
    required: bool = True
    told: Told = field(default_factory=Told)

    @property
    def test(self) -> str | None:
        """The test that carries the finding."""
        return self.on or (None if self.owner.startswith("fixture:") else self.owner)

    def __str__(self) -> str:
        what = f" {self.what}" if self.what else ""
        return f"{'|'.join(sorted(self.codes))} of {self.owner}{what}"


@dataclass(frozen=True)
class Case:
    path: Path
    kind: str
    runner: str
    why: str
    expects: tuple[Expected, ...]
    outcomes: Mapping[str, str]
    needs: tuple[str, ...]
    args: tuple[str, ...]
    support: tuple[tuple[Path, str], ...]
    drawn: Drawn = field(default_factory=Drawn)
    plain_may_fail: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.path.stem}"

    @property
    def label(self) -> str:
        return "leak" if any(e.required for e in self.expects) else "clean"

    @property
    def module(self) -> str:
        return f"test_{self.path.stem}.py"

    def files(self) -> dict[str, Path]:
        return {self.module: self.path} | {target: source for source, target in self.support}


@dataclass(frozen=True)
class Found:
    code: str
    owner: str
    what: str
    on: str
    severity: str
    born: tuple[str, int] | None
    waits_for: str = ""
    diagnosis: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        born = f" born {self.born[0]}:{self.born[1]}" if self.born else ""
        return f"{self.code} of {self.owner} {self.what} ({self.severity}) on {self.on}{born}"


@dataclass
class Run:
    found: list[Found] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    graphs: list[Mapping[str, Any]] = field(default_factory=list)
    output: str = ""


@dataclass(frozen=True)
class Score:
    case: str
    kind: str
    runner: str
    expected: int
    hits: int
    extra: int
    problems: tuple[str, ...] = ()
    causes: int = 0
    explained: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            "case": self.case,
            "kind": self.kind,
            "runner": self.runner,
            "expected": self.expected,
            "hits": self.hits,
            "extra": self.extra,
            "problems": list(self.problems),
            "causes": self.causes,
            "explained": self.explained,
        }


# --- reading -----------------------------------------------------------------------------------------------------


def header(text: str) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        key, colon, value = line[2:].partition(":")
        if not colon or key not in KEYS:
            raise LabelError(f"unknown header line {line!r}; a key is one of {', '.join(KEYS)}")
        lines.append((key, value.strip()))
    return lines


def read_expected(value: str, required: bool, lines: Sequence[tuple[str, str]] = ()) -> Expected:
    match = FINDING.fullmatch(value)
    if match is None:
        raise LabelError(f"cannot read the expected finding {value!r}")
    extras = dict(part.split("=", 1) for part in match["extras"].split())
    if unknown := extras.keys() - set(EXTRAS):
        raise LabelError(f"unknown {', '.join(sorted(unknown))} in {value!r}")
    if extras.get("severity", "fail") not in SEVERITIES:
        raise LabelError(f"severity of {value!r} must be one of {', '.join(SEVERITIES)}")
    told = read_told(extras.pop("cause", ""), extras.pop("finality", ""), lines)
    codes = frozenset(match["codes"].split("|"))
    expected = Expected(codes, match["owner"], required=required, told=told, **extras)
    if expected.test is None:
        raise LabelError(f"a fixture's finding needs on=TEST: {value!r}")
    return expected


def read_case(path: Path) -> Case:
    try:
        return parse_case(path, path.read_text(encoding="utf-8"))
    except LabelError as error:
        raise LabelError(f"{path.name}: {error}") from None


def parse_case(path: Path, text: str) -> Case:
    lines = header(text)
    single = {key: value for key, value in lines if key in ("why", "runner")}
    if missing := {"why", "runner"} - single.keys():
        raise LabelError(f"no {', '.join(sorted(missing))}")
    labels = [(key, value) for key, value in lines if key in ("expect", "maybe")]
    if not labels:
        raise LabelError("no expect")
    if ("expect", "clean") in labels and len([key for key, _ in labels if key == "expect"]) > 1:
        raise LabelError("clean and a finding")
    if ("plain", MAY_FAIL) not in lines and any(key == "plain" for key, _ in lines):
        raise LabelError(f"plain: can only say {MAY_FAIL!r}")
    outcomes: dict[str, str] = {}
    for key, value in lines:
        if key == "outcome":
            test, _, outcome = value.rpartition(" ")
            outcomes[test] = outcome
    support: list[tuple[Path, str]] = []
    for key, value in lines:
        if key == "with":
            source, _, target = value.partition(" as ")
            support.append((path.parent / source, target or source))
    return Case(
        path=path,
        kind=path.parent.name,
        runner=single["runner"],
        why=single["why"],
        expects=tuple(read_expects(lines)),
        outcomes=outcomes,
        needs=tuple(need.strip() for key, value in lines if key == "needs" for need in value.split(",")),
        args=tuple(arg for key, value in lines if key == "args" for arg in shlex.split(value)),
        support=tuple(support),
        drawn=read_drawn(lines),
        plain_may_fail=("plain", MAY_FAIL) in lines,
    )


def read_expects(lines: Sequence[tuple[str, str]]) -> Iterable[Expected]:
    """Read each expected finding with the lines that belong to it: those up to the next."""
    starts = [number for number, (key, _) in enumerate(lines) if key in ("expect", "maybe")]
    if stray := [key for key, _ in lines[: starts[0]] if key in OF_FINDING]:
        raise LabelError(f"{stray[0]}: stands before any finding")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        key, value = lines[start]
        own = [line for line in lines[start + 1 : end] if line[0] in OF_FINDING]
        if value != "clean":
            yield read_expected(value, key == "expect", own)
        elif own:
            raise LabelError(f"{own[0][0]}: of no finding")


def read_cases() -> list[Case]:
    """Every file of the kinds' folders whose first line is a label; the others are there for their neighbours."""
    paths = [path for kind in KINDS for path in sorted((HERE / kind).glob("*.py"))]
    return [read_case(path) for path in paths if path.read_text(encoding="utf-8").startswith("# expect: ")]


def absent(case: Case) -> str | None:
    """What the case needs and this machine lacks."""
    for need in case.needs:
        if need.startswith("python>="):
            wanted = tuple(int(part) for part in need.removeprefix("python>=").split("."))
            if sys.version_info[: len(wanted)] < wanted:
                return need
        elif need == "posix":
            if os.name != "posix":
                return need
        else:
            try:
                importlib.metadata.version(need)
            except importlib.metadata.PackageNotFoundError:
                return need
    return None


# --- running -----------------------------------------------------------------------------------------------------


def command(case: Case, plain: bool) -> list[str]:
    installed = any(point.name == "taskleak" for point in importlib.metadata.entry_points(group="pytest11"))
    plugins = [
        "asyncio",
        *(PLUGINS[need] for need in case.needs if need in PLUGINS and need != "pytest-asyncio"),
    ]
    if not plain:
        plugins.append("taskleak" if installed else "pytest_taskleak.plugin")
    plugins.append("corpus_collector")
    chosen = [word for plugin in plugins for word in ("-p", plugin)]
    watch = [] if plain else ["--taskleak"]
    own = [arg for arg in case.args if not (plain and arg.startswith("--taskleak"))]
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *chosen, *watch, *own, "."]


def environment(out: Path) -> dict[str, str]:
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "TASKLEAK", "COV_"))
    }
    path = os.pathsep.join([str(REPOSITORY), str(HERE)])
    settings = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path, "TASKLEAK_CORPUS_OUT": str(out)}
    return kept | settings | {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", "COLUMNS": "120"}


def lay_out(case: Case, folder: Path) -> None:
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n", encoding="utf-8"
    )
    for target, source in case.files().items():
        place = folder / target
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


def run_case(case: Case, folder: Path, *, plain: bool = False) -> Run:
    """Run the case in a fresh process; ``folder`` is empty and becomes its root directory."""
    suite, out = folder / "suite", folder / "reports.json"
    suite.mkdir()
    lay_out(case, suite)
    run = Run()
    try:
        done = subprocess.run(
            command(case, plain),
            cwd=suite,
            env=environment(out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
        run.output = done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as expired:
        run.output = (expired.stdout or b"").decode(errors="replace")
        run.trouble.append(f"did not end within {TIMEOUT:.0f} s")
    if out.exists():
        read_reports(json.loads(out.read_text(encoding="utf-8")), run)
    elif not run.trouble:
        run.trouble.append("ended without a result")
    return run


def local(nodeid: str) -> str:
    return nodeid.partition("::")[2] or nodeid


def read_reports(reports: Iterable[Mapping[str, Any]], run: Run) -> None:
    for report in reports:
        if "exitstatus" in report:
            if report["exitstatus"] not in (0, 1):
                run.trouble.append(f"exit status {report['exitstatus']}")
            continue
        test = local(report["nodeid"])
        run.outcomes[test] = worse(run.outcomes.get(test), outcome_of(report))
        told = report["taskleak"] or {}
        run.found.extend(read_finding(finding, test) for finding in told.get("findings", ()))
        run.graphs.extend(told.get("graphs", ()))
    if not run.outcomes:
        run.trouble.append("no test ran")


def outcome_of(report: Mapping[str, Any]) -> str:
    if report["xfail"]:
        return "xfailed" if report["outcome"] == "skipped" else "xpassed"
    if report["outcome"] == "failed":
        return "failed" if report["when"] == "call" else "error"
    return str(report["outcome"])


def worse(before: str | None, now: str) -> str:
    order = ("passed", "skipped", "xpassed", "xfailed", "error", "failed")
    return now if before is None else max(before, now, key=order.index)


def read_finding(finding: Mapping[str, Any], test: str) -> Found:
    owner = finding["owner"]
    name = (
        f"fixture:{owner['name']}" if owner["kind"] == "fixture" else local(owner["nodeid"] or owner["kind"])
    )
    born = finding["born"][0] if finding["born"] else None
    return Found(
        code=finding["code"],
        owner=name,
        what=finding["what"] or "",
        on=test,
        severity=finding["severity"],
        born=(born["path"], born["line"]) if born else None,
        waits_for=finding.get("waits_for") or "",
        diagnosis=finding.get("diagnosis"),
    )


# --- comparing ---------------------------------------------------------------------------------------------------


def same_owner(expected: Expected, found: Found) -> bool:
    if expected.owner.startswith("fixture:"):
        return fnmatch.fnmatchcase(found.owner, expected.owner)
    return found.owner == expected.owner


def same_what(expected: Expected, found: Found) -> bool:
    return expected.what is None or fnmatch.fnmatchcase(found.what, expected.what)


def born_line(case: Case, marker: str) -> tuple[str, int]:
    for target, source in case.files().items():
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
            if line.rstrip().endswith(f"# born:{marker}"):
                return Path(target).name, number
    raise LabelError(f"{case.name}: no line is marked born:{marker}")


def same_born(case: Case, expected: Expected, found: Found) -> bool:
    if expected.born is None:
        return True
    name, line = born_line(case, expected.born)
    return found.born is not None and (Path(found.born[0]).name, found.born[1]) == (name, line)


def take(case: Case, expected: Expected, found: list[Found]) -> Found | None:
    """Remove and return the finding that fits best."""
    fits = [f for f in found if f.code in expected.codes and same_owner(expected, f)]
    if not expected.required:
        fits = [f for f in fits if same_what(expected, f) and f.severity == expected.severity]

    def fitness(candidate: Found) -> tuple[bool, ...]:
        return (
            same_what(expected, candidate),
            same_born(case, expected, candidate),
            candidate.on == expected.test,
            candidate.severity == expected.severity,
        )

    best = max(fits, key=fitness, default=None)
    if best is not None:
        found.remove(best)
    return best


def details(case: Case, expected: Expected, found: Found) -> list[str]:
    problems: list[str] = []
    if not same_what(expected, found):
        problems.append(f"{expected}: told as {found.what!r}")
    if found.severity != expected.severity:
        problems.append(f"{expected}: severity {found.severity}, not {expected.severity}")
    if found.on != expected.test:
        problems.append(f"{expected}: reported on {found.on}, not on {expected.test}")
    if not same_born(case, expected, found):
        name, line = born_line(case, str(expected.born))
        problems.append(f"{expected}: born {found.born}, not {name}:{line}")
    return problems


def explanation(expected: Expected, found: Found) -> list[str]:
    """What the diagnosis of a finding says otherwise than its label."""
    problems: list[str] = diagnosis_problems(expected.told, found.waits_for, found.diagnosis)
    return [f"{expected}: {problem}" for problem in problems]


def wanted_outcome(case: Case, test: str) -> tuple[str, ...]:
    if test in case.outcomes:
        return (case.outcomes[test],)
    guilty = any(e.test == test and e.severity == "fail" and e.required for e in case.expects)
    return ("failed", "error") if guilty else ("passed",)


def compare(case: Case, run: Run) -> Score:
    problems = list(run.trouble)
    left, hits, explained = list(run.found), 0, 0
    required = [e for e in case.expects if e.required]
    for expected in required:
        found = take(case, expected, left)
        if found is None:
            problems.append(f"missed: {expected}")
            continue
        hits += 1
        wrong = explanation(expected, found)
        explained += bool(expected.told) and not wrong
        problems += details(case, expected, found) + wrong
    for expected in (e for e in case.expects if not e.required):
        found = take(case, expected, left)
        problems += explanation(expected, found) if found else []
    problems += graph_problems(case.drawn, run.graphs)
    extra = [f for f in left if f.severity != "note"]
    problems += [f"false: {f}" for f in extra]
    for test, outcome in run.outcomes.items():
        wanted = wanted_outcome(case, test)
        if outcome not in wanted:
            problems.append(f"{test} is {outcome}, not {' or '.join(wanted)}")
    named = {e.test for e in required} | set(case.outcomes)
    problems += [f"{test} did not run" for test in sorted(named - {None} - run.outcomes.keys(), key=str)]
    causes = sum(bool(e.told) for e in required)
    return Score(
        case.name, case.kind, case.runner, len(required), hits, len(extra), tuple(problems), causes, explained
    )


def compare_plain(case: Case, run: Run) -> list[str]:
    """Without the plugin every test must pass, but those whose own failure is the subject."""
    problems = list(run.trouble)
    if case.plain_may_fail:
        return [problem for problem in problems if problem.startswith("did not end")]
    own = {test: outcome for test, outcome in case.outcomes.items() if own_failure(case, test)}
    for test, outcome in run.outcomes.items():
        wanted = own.get(test, "passed")
        if outcome != wanted and not (outcome == "failed" and case.outcomes.get(test) == "xfailed"):
            problems.append(f"{test} is {outcome}, not {wanted}")
    named = {e.test for e in case.expects} | set(case.outcomes)
    problems += [f"{test} did not run" for test in sorted(named - {None} - run.outcomes.keys(), key=str)]
    for expected in case.expects:
        if expected.born:
            born_line(case, expected.born)
    return problems


def own_failure(case: Case, test: str) -> bool:
    """A test that is said to fail though no finding of its own would fail it."""
    guilty = any(e.test == test and e.severity == "fail" for e in case.expects)
    return not guilty and case.outcomes[test] in ("failed", "error")


# --- telling -----------------------------------------------------------------------------------------------------


def percent(part: int, whole: int) -> str:
    return "-" if not whole else f"{100 * part / whole:.1f} %"


def row(name: str, scores: Sequence[Score]) -> tuple[str, ...]:
    expected, hits = sum(s.expected for s in scores), sum(s.hits for s in scores)
    extra = sum(s.extra for s in scores)
    wrong = sum(bool(s.problems) for s in scores)
    causes, explained = sum(s.causes for s in scores), sum(s.explained for s in scores)
    numbers = (len(scores), expected, hits, extra, wrong)
    shares = (percent(hits, expected), percent(hits, hits + extra), percent(explained, causes))
    return (name, *map(str, numbers), *shares)


def table(scores: Sequence[Score]) -> list[str]:
    head = ("", "cases", "leaks", "found", "false", "wrong", "recall", "precision", "explained")
    rows: list[tuple[str, ...]] = [head]
    rows += [
        row(kind, [s for s in scores if s.kind == kind])
        for kind in KINDS
        if any(s.kind == kind for s in scores)
    ]
    rows += [
        row(runner, [s for s in scores if s.runner == runner])
        for runner in sorted({s.runner for s in scores})
    ]
    rows.append(row("all", scores))
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(head))]
    return [
        "  ".join(
            [cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]
        )
        for cells in rows
    ]


def judge(case: Case, plain: bool, verbose: bool) -> Score | str:
    if lack := absent(case):
        return f"skip  {case.name}: needs {lack}"
    with tempfile.TemporaryDirectory(prefix="taskleak-corpus-") as folder:
        run = run_case(case, Path(folder), plain=plain)
    if plain:
        score = Score(case.name, case.kind, case.runner, 0, 0, 0, tuple(compare_plain(case, run)))
    else:
        score = compare(case, run)
    if score.problems:
        told = [f"WRONG {case.name}: {case.why}", *(f"      {problem}" for problem in score.problems)]
        print("\n".join([*told, run.output] if verbose else told), flush=True)
    return score


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="run the labelled corpus")
    parser.add_argument("names", nargs="*", help="parts of the names of the cases to run (default: all)")
    parser.add_argument("--plain", action="store_true", help="without the plugin: are the cases sound?")
    parser.add_argument("-j", "--jobs", type=int, default=1)
    parser.add_argument("-v", "--verbose", action="store_true", help="show the run of every wrong case")
    options = parser.parse_args(argv)
    cases = [c for c in read_cases() if not options.names or any(part in c.name for part in options.names)]
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda case: judge(case, options.plain, options.verbose), cases))
    skips = [result for result in results if isinstance(result, str)]
    scores = [result for result in results if isinstance(result, Score)]
    print("\n".join([*skips, *table(scores)]))
    return 1 if any(score.problems for score in scores) else 0


if __name__ == "__main__":
    raise SystemExit(main())
