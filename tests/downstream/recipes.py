"""What a suite is and how to get it: the typed face of suites.toml."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECIPES = Path(__file__).with_name("suites.toml")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One test suite of another project."""

    name: str
    python: str
    source: str
    pip: tuple[str, ...]
    args: tuple[str, ...]
    secs: int
    daily: bool
    tests: int
    passed: int
    failed: int
    errors: int

    @property
    def timeout(self) -> float:
        """How long one run may take before it counts as hanging."""
        return 3 * self.secs + 120

    @property
    def is_git(self) -> bool:
        """Whether the sources come from a repository instead of an sdist."""
        return self.source.startswith("git ")

    @property
    def requirement(self) -> str:
        """The pinned requirement of an sdist: `name==version`."""
        return self.source.removeprefix("sdist ")

    @property
    def repository(self) -> str:
        """The repository of a git source: `owner/name`."""
        return self.source.removeprefix("git ").partition("@")[0]

    @property
    def commit(self) -> str:
        """The commit of a git source."""
        return self.source.partition("@")[2]


def load(path: Path = RECIPES) -> list[Suite]:
    """All suites, in the order of the file."""
    with path.open("rb") as file:
        document = tomllib.load(file)
    return [parse(entry) for entry in document["suite"]]


def parse(entry: dict[str, Any]) -> Suite:
    """One table of the file; a missing key says so with the name of the suite."""
    try:
        return Suite(
            name=entry["name"],
            python=entry["python"],
            source=entry["source"],
            pip=tuple(entry["pip"]),
            args=tuple(shlex.split(entry["args"])),
            secs=entry["secs"],
            daily=entry["daily"],
            tests=entry["tests"],
            passed=entry["passed"],
            failed=entry.get("failed", 0),
            errors=entry.get("errors", 0),
        )
    except KeyError as missing:
        msg = f"suite {entry.get('name', '?')}: {missing.args[0]} is missing"
        raise ValueError(msg) from None


def select(suites: Sequence[Suite], only: Sequence[str], which: str) -> list[Suite]:
    """The suites asked for by name, else those of the set (`daily` or `all`)."""
    known = {suite.name: suite for suite in suites}
    if unknown := [name for name in only if name not in known]:
        msg = f"unknown suites: {', '.join(unknown)} (known: {', '.join(known)})"
        raise ValueError(msg)
    if only:
        return [known[name] for name in only]
    return [suite for suite in suites if suite.daily or which == "all"]
