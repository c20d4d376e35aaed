"""Which files does a session leave: everything that was found as JSON, or the wait-for graph as text?

The suffix tells: `.json`, `.html` (a page on shutdown storms), `.mmd` (Mermaid) or `.dot` (Graphviz).  On
xdist's controller the reports of all workers come together, so that one file stands for the whole session.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from pytest_taskleak.diagnosis import Graph, Reaped
from pytest_taskleak.model import SCHEMA
from pytest_taskleak.report import drawing, storm_page

KEY = "taskleak"
STORMS = "taskleak_storms"
LISTS = ("findings", "allowed", "graphs", "notes", "unmet")
"""What adds up over the reports."""


class Files:
    """Collects the verdicts that test reports carry, and writes them when the session is over.

    Parameters:
        paths: the files, as absolute paths.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self.verdicts: list[dict[str, Any]] = []
        self.storms: list[dict[str, Any]] = []
        self.written = False

    def pytest_runtest_logreport(self, report: Any) -> None:
        verdict = getattr(report, KEY, None)
        if verdict is not None:
            self.verdicts.append(verdict)
        self.storms += getattr(report, STORMS, ())

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        self.write(terminalreporter.write_line)

    def pytest_unconfigure(self, config: Any) -> None:
        """Write what was not written because no terminal asked for a summary."""
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        self.write(print if terminal is None else terminal.write_line)

    def write(self, tell: Callable[[str], object]) -> None:
        """Write each file, once; one that cannot be written is told, and no failure."""
        if self.written:
            return
        self.written = True
        whole = merged(self.verdicts)
        if self.storms:
            whole["storms"] = self.storms
        for path in self.paths:
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content(path, whole))
            except OSError as error:
                tell(f"taskleak: warning: {path} could not be written: {error.strerror or error}")
            else:
                tell(f"taskleak: wrote {path}")


def merged(verdicts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return one verdict, as builtins, of many.

    Parameters:
        verdicts: what `Verdict.to_json` has made.
    """
    every = list(verdicts)
    reaped = sum((Reaped(**verdict["reaped"]) for verdict in every), Reaped())
    lists = {name: [each for verdict in every for each in verdict[name]] for name in LISTS}
    return {"schema": SCHEMA, **lists, "reaped": asdict(reaped)}


def content(path: str, whole: dict[str, Any]) -> str:
    """Return the text of a file, in the format that its suffix names."""
    suffix = os.path.splitext(path)[1]
    if suffix == ".json":
        return json.dumps(whole, indent=2) + "\n"
    if suffix == ".html":
        return storm_page.page(*whole.get("storms", []))
    graphs = [Graph.from_json(data) for data in whole["graphs"]]
    return drawing.mermaid(graphs) if suffix == ".mmd" else drawing.dot(graphs)
