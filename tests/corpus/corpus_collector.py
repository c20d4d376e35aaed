"""Loaded with ``-p corpus_collector`` into the run of one case: writes what the reports say, then ends the process.

The process is ended hard, because the threads that a case leaves on purpose would otherwise keep it alive.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

REPORTS: list[dict[str, object]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    REPORTS.append(
        {
            "nodeid": report.nodeid,
            "when": report.when,
            "outcome": report.outcome,
            "xfail": hasattr(report, "wasxfail"),
            "headline": (report.longreprtext or "")[-4000:],
            "taskleak": getattr(report, "taskleak", None),
        }
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    REPORTS.append({"exitstatus": int(exitstatus)})


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    Path(os.environ["TASKLEAK_CORPUS_OUT"]).write_text(json.dumps(REPORTS), encoding="utf-8")
    if not REPORTS:
        return  # no session: pytest has an error to print
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
