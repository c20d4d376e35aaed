"""Which sites stand in all files of the user, calls of the user's own helpers among them?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pytest_taskleak.audit.calls import WORDS, thread_classes, threads_among
from pytest_taskleak.audit.files import Where, module_name
from pytest_taskleak.audit.helpers import Helper, Helpers
from pytest_taskleak.audit.scan import Scan
from pytest_taskleak.audit.sites import Problem, Site
from pytest_taskleak.audit.source import Source

MOST_ROUNDS = 3
MOST_BYTES = 2_000_000


class Project:
    """The user's files, each read and parsed at most once, and only if something in it may matter.

    Parameters:
        where: what is looked through.
    """

    def __init__(self, where: Where) -> None:
        self.where = where
        self.problems: list[Problem] = []
        self.texts: dict[str, str] = {}
        self.scans: dict[str, Scan | None] = {}
        self.threads: frozenset[str] = frozenset()
        self.helpers = Helpers()

    def sites(self) -> list[Site]:
        """Return every site, in the order of files and lines."""
        for path in self.where.files(self.problems):
            text = self.read(path)
            if text is not None:
                self.texts[path] = text
        likely = [path for path, text in self.texts.items() if WORDS.search(text)]
        likely = self._find_threads(likely)
        found = [site for path in likely for site in self._sites_of(path, lambda scan: scan.sites)]
        found += self._of_helpers(found)
        return sorted(set(self._marked(found)), key=lambda site: site.order)

    def _sites_of(self, path: str, find: Callable[[Scan], Iterable[Site]]) -> list[Site]:
        """Return what is found in a file; one that cannot be followed is told, and spoils no other."""
        scan = self.scan(path)
        try:
            return [] if scan is None else list(find(scan))
        except Exception as error:  # noqa: BLE001 -- as deep as a RecursionError
            self.problems.append(Problem(path, 0, f"not followed: {type(error).__name__}: {error}"))
            return []

    def _find_threads(self, likely: list[str]) -> list[str]:
        """Find the classes that are threads; return the files that make something, or use one of them."""
        classes: dict[str, list[str]] = {}
        for path in likely:
            scan = self.scan(path)
            if scan is not None and "class " in scan.source.text:
                classes.update(thread_classes(scan.names))
        self.threads = threads_among(classes)
        if self.threads:
            self.scans = {
                path: Scan(scan.source, scan.module, self.threads) if scan is not None else None
                for path, scan in self.scans.items()
            }
        if not self.threads:
            return likely
        words = words_of(name.rpartition(".")[2] for name in self.threads)
        return [path for path, text in self.texts.items() if path in set(likely) or words.search(text)]

    def _of_helpers(self, found: list[Site]) -> list[Site]:
        """Return the calls of helpers, and of helpers that call helpers."""
        more: list[Site] = []
        fresh = found
        for _ in range(MOST_ROUNDS):
            new = [helper for site in fresh for helper in self._helpers_at(site)]
            new = [helper for helper in new if self.helpers.add(helper)]
            if not new:
                break
            words = words_of(helper.name for helper in new)
            wanted = [path for path, text in self.texts.items() if words.search(text)]
            seen = {site.key for site in (*found, *more)}
            fresh = []
            for path in wanted:
                fresh += [x for x in self._sites_of(path, self.helpers.sites) if x.key not in seen]
            more += fresh
        return more

    def _helpers_at(self, site: Site) -> list[Helper]:
        scan = self.scan(site.path)
        call = scan.source.calls.get(site.end) if scan is not None else None
        return [] if scan is None or call is None else self.helpers.around(scan, call, site)

    def _marked(self, found: list[Site]) -> list[Site]:
        return [self.helpers.mark(site) for site in found]

    def read(self, path: str) -> str | None:
        """Return the text of a file, `None` where it cannot be read."""
        try:
            with open(self.where.full(path), "rb") as file:
                data = file.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                self.problems.append(Problem(path, 0, f"not read: larger than {MOST_BYTES} bytes"))
                return None
            return decoded(data)
        except OSError as error:
            self.problems.append(Problem(path, 0, f"not read: {error.strerror or error}"))
        except (UnicodeDecodeError, SyntaxError, LookupError) as error:
            self.problems.append(Problem(path, 0, f"not read: {error}"))
        return None

    def scan(self, path: str) -> Scan | None:
        """Return the scan of a file, `None` where it is no Python."""
        if path not in self.scans:
            text = self.texts.get(path)
            text = self.read(path) if text is None else text
            self.scans[path] = None if text is None else self._parse(path, text)
        return self.scans[path]

    def _parse(self, path: str, text: str) -> Scan | None:
        try:
            return Scan(Source(path, text), module_name(path), self.threads)
        except SyntaxError as error:
            self.problems.append(Problem(path, error.lineno or 0, f"not read: {error.msg}"))
        except (ValueError, RecursionError, MemoryError) as error:
            self.problems.append(Problem(path, 0, f"not read: {error}"))
        return None


def words_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of some names."""
    return re.compile(r"\b(" + "|".join(sorted({re.escape(name) for name in names})) + r")\b")


def decoded(data: bytes) -> str:
    """Return the text of a source file, by the encoding that it declares."""
    import io
    import tokenize

    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return io.TextIOWrapper(io.BytesIO(data), encoding, newline=None).read()
