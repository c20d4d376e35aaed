"""How is a long storm shown, shared among workers, and carried in reports?"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from pytest_taskleak.options import BY_NAME
from pytest_taskleak.state import STORMS
from pytest_taskleak.values import usage, value_of

NAME = "shutdown_storm"
PART = re.compile(r"\[storm-\d+of\d+\]$|(?<=[\[-])storm-\d+of\d+-|-storm-\d+of\d+(?=\])")
"""What the name of a test has more where a storm is shared among workers."""
EVERY = 50
"""Runs after which the progress is told anew."""
MOST_CAUSES = 10
"""Causes that are told as properties of a test; their number is told in any case."""


def without_part(nodeid: str) -> str:
    """Return the name of a test without the part of the storm that it has."""
    return re.sub(PART, "", nodeid)


class Progress:
    """Tells on a terminal how far a long sweep is."""

    def __init__(self, config: pytest.Config) -> None:
        self.reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self.capture: Any = config.pluginmanager.get_plugin("capturemanager")
        self.live = self.reporter is not None and self.reporter.isatty and sys.stderr.isatty()

    def told(self, axis: str, made: int, planned: int) -> None:
        """Tell it now and then."""
        if self.live and (made % EVERY == 0 or made == planned):
            with self.uncaptured():
                self.reporter.rewrite(f"  storm: {axis} {made}/{planned}", erase=True)

    def whole(self, lines: Sequence[str]) -> None:
        """Print what was found so far, because the session ends here."""
        if self.reporter is not None:
            with self.uncaptured():
                self.reporter.ensure_newline()
                for line in lines:
                    self.reporter.write_line(line)

    def uncaptured(self) -> AbstractContextManager[None]:
        """Let what is written be seen at once."""
        if self.capture is None:
            return nullcontext()
        block: AbstractContextManager[None] = self.capture.global_and_fixture_disabled()
        return block


def properties(storm: Mapping[str, Any], number: int = 1) -> Iterator[tuple[str, str]]:
    """Yield what JUnit files, and whatever else reads the properties of a test, tell of a storm.

    Parameters:
        storm: the document of it.
        number: the how manieth storm of the test it is, from 1.
    """
    lead = "storm" if number == 1 else f"storm-{number}"
    yield lead, storm["name"]
    yield f"{lead}.runs", str(storm["runs"])
    yield f"{lead}.points", str(storm["points"])
    made, planned = (sum(axis[key] for axis in storm["axes"]) for key in ("ran", "planned"))
    yield f"{lead}.swept", f"{made}/{planned}"
    yield f"{lead}.seeds", " ".join(map(str, storm["seeds"]))
    yield f"{lead}.worst_drain", f"{storm['worst_drain']:.3f}"
    yield f"{lead}.causes", str(len(storm["causes"]))
    for place, cause in enumerate(storm["causes"][:MOST_CAUSES], 1):
        scale = "" if cause["scale"] == "violation" else f", {cause['scale']}"
        what = f"{cause['oracle']} {cause['name']}, {cause['count']} times{scale}: {cause['text']}"
        yield f"{lead}.cause-{place}", what
        yield f"{lead}.token-{place}", cause["token"]


class Hooks:
    """Lets reports carry what storms have found, across processes too."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        report = yield
        found = item.stash.get(STORMS, None)
        if call.when == "call" and found:
            report.taskleak_storms = found
        return report


def spread(metafunc: pytest.Metafunc) -> None:
    """Make parts of a test that asks for a storm, where that is wanted.

    Raises:
        pytest.UsageError: the number of parts cannot be read.
    """
    text, where = value_of(metafunc.config, BY_NAME["taskleak_spread"])
    word = str(text).strip().lower()
    number = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1") if word == "auto" else word
    if not number.isascii() or not number.isdigit() or not int(number):
        raise usage("spread", BY_NAME["taskleak_spread"].values, text, where, words="must be")
    count = int(number)
    if count > 1:
        parts = [(part, count) for part in range(count)]
        names = [f"storm-{part + 1}of{count}" for part in range(count)]
        metafunc.parametrize(NAME, parts, indirect=True, ids=names)
