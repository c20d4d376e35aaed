"""Prints recall and precision of the corpus at the end of the run, also of one spread by pytest-xdist."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import KINDS, Score, table  # type: ignore[import-not-found]  # found above

collect_ignore_glob = [f"{kind}/*" for kind in KINDS]  # cases, run by the harness


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    scores: list[Score] = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                scores += [_score(value) for key, value in report.user_properties if key == "corpus"]
    if scores:
        terminalreporter.section("corpus")
        for line in table(scores):
            terminalreporter.write_line(line)


def _score(facts: dict[str, Any]) -> Score:
    """What crossed from a worker: builtins only."""
    values: dict[str, Any] = {**facts, "problems": tuple(facts["problems"])}
    return Score(**values)
