"""Which files are the user's own, and which of them are tests?

Those below the root of the project: not what was installed, not what pytest is told not to look into
(`norecursedirs`), and no virtual environment.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_taskleak.adapt.code import SITE, USER, kind_of
from pytest_taskleak.audit.sites import Problem

MOST_FILES = 20_000
ENVIRONMENT = ("pyvenv.cfg", "conda-meta")
SKIPPED = ("__pycache__", *SITE)
TESTS = ("tests", "test", "testing")
SOURCES = ("src", "lib")
SEPARATOR = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What is looked through.

    Parameters:
        root: the root of the project.
        skip: patterns of folders that are left out.
        tests: the folders of the tests, as `testpaths` says.
        patterns: patterns of test files, as `python_files` says.
    """

    root: str
    skip: Sequence[str] = ()
    tests: Sequence[str] = ()
    patterns: Sequence[str] = ("test_*.py", "*_test.py")

    def is_test(self, path: str) -> bool:
        """Tell whether a file, given relative to the root, belongs to the tests."""
        *folders, name = path.split(SEPARATOR)
        if name == "conftest.py" or any(fnmatch.fnmatch(name, pattern) for pattern in self.patterns):
            return True
        if any(folder in TESTS for folder in folders):
            return True
        places = [place.replace(os.sep, SEPARATOR).strip(SEPARATOR) for place in self.tests]
        return any(place and place != "." and f"{path}/".startswith(f"{place}/") for place in places)

    def relative(self, path: str) -> str:
        """Return how a file is called in reports."""
        full = os.path.abspath(path)
        root = self.root.rstrip(os.sep) + os.sep
        return full.removeprefix(root).replace(os.sep, SEPARATOR)

    def full(self, path: str) -> str:
        """Return the file that a report calls so."""
        return os.path.join(self.root, path)

    def files(self, problems: list[Problem]) -> list[str]:
        """Return the files, relative to the root and sorted.

        Parameters:
            problems: gets what could not be looked into.
        """
        found: list[str] = []
        for path in self._walk():
            if len(found) == MOST_FILES:
                problems.append(Problem(path, 0, f"not read, nor what follows: more than {MOST_FILES} files"))
                break
            found.append(path)
        return sorted(found)

    def _walk(self) -> Iterator[str]:
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if self._enters(folder, name))
            for name in sorted(names):
                full = os.path.join(folder, name)
                if name.endswith(".py") and kind_of(full) == USER:
                    yield self.relative(full)

    def _enters(self, folder: str, name: str) -> bool:
        full = os.path.join(folder, name)
        if name in SKIPPED or os.path.islink(full):
            return False
        if any(os.path.lexists(os.path.join(full, mark)) for mark in ENVIRONMENT):
            return False
        relative = self.relative(full)
        for pattern in self.skip:
            inner = pattern.strip(SEPARATOR)
            if fnmatch.fnmatch(name, inner) or fnmatch.fnmatch(relative, inner):
                return False
        return True


def module_name(path: str) -> str:
    """Return the dotted name of a file, given relative to the root."""
    parts = path.removesuffix(".py").split(SEPARATOR)
    if parts[-1] == "__init__":
        parts.pop()
    while len(parts) > 1 and parts[0] in SOURCES:
        parts.pop(0)
    return ".".join(parts)
