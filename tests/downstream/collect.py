"""A pytest plugin that writes what became of every test, one JSON object a line.

The runner loads it with `-p` into the plain run and into the run under the plugin alike.
A line is written at once, so that what was known survives a crash or a hang.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

OUTPUT = "DOWNSTREAM_OUTPUT"


class Collector:
    """Appends each report of one session to a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._clock = time.perf_counter
        self._start = self._clock()
        self._errors: dict[tuple[str, str], list[str]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the types of what was raised: the report itself only has text."""
        report = yield
        if call.excinfo is not None:
            names = sorted({type(leaf).__name__ for leaf in leaves(call.excinfo.value)})
            self._errors[report.nodeid, call.when] = names
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write one report."""
        self._write(
            {
                "nodeid": report.nodeid,
                "when": report.when,
                "outcome": report.outcome,
                "duration": round(report.duration, 6),
                "xfail": hasattr(report, "wasxfail"),
                "errors": self._errors.pop((report.nodeid, str(report.when)), []),
                "message": message(report) if report.failed else "",
                "taskleak": getattr(report, "taskleak", None),
            }
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write what could not be collected, as if it were a test."""
        if report.failed:
            self._write(
                {
                    "nodeid": report.nodeid,
                    "when": "collect",
                    "outcome": "failed",
                    "message": message(report),
                }
            )

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the end: a file without one belongs to a run that was cut off."""
        self._write({"exitstatus": int(exitstatus), "seconds": round(self._clock() - self._start, 3)})

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, default=str) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    """Start collecting, but not in sessions that a test starts inside its own process."""
    path = os.environ.pop(OUTPUT, None)
    if path is not None:
        collector = Collector(Path(path))
        config.pluginmanager.register(collector, "downstream-collector")
        config.add_cleanup(collector.close)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions inside groups of groups, or the exception itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def message(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The last words of a failure, short enough to keep thousands of them."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    return str(text)[:400]
