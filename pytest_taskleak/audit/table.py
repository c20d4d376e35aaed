"""How do the sites of the source and what was seen of them become one table?

They meet at the place where a call ends.  What is made in a helper counts for the helper and for the code
that calls it; what only the run has shown gets its row from the same reading of the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_taskleak.audit.calls import Making, has_name
from pytest_taskleak.audit.crossing import Counts, merged
from pytest_taskleak.audit.helpers import Helper
from pytest_taskleak.audit.project import Project
from pytest_taskleak.audit.sites import End, Fate, Site


@dataclass(frozen=True, slots=True)
class Row:
    """A site, with what was seen of it.

    Parameters:
        site: the place.
        counts: what was seen; `made` is 0 where nothing was.
        is_test: whether it stands in test code.
    """

    site: Site
    counts: Counts = field(default_factory=dict)
    is_test: bool = False

    @property
    def made(self) -> int:
        """How often it has made something."""
        return int(self.counts["made"])


class Table:
    """Joins what was read and what was seen.

    Parameters:
        project: the user's files.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.sites: dict[tuple[str, End], Site] = {}
        self.seen: dict[tuple[str, End], list[Counts]] = {}

    def rows(self, every: Iterable[Counts]) -> list[Row]:
        """Return the rows, in the order of files and lines.

        Parameters:
            every: what all processes have seen.
        """
        self.sites = {site.key: site for site in self.project.sites()}
        for counts in sorted(every, key=lambda counts: (counts["frames"], counts["call"])):
            self._count(counts)
        is_test = self.project.where.is_test
        return [
            Row(site, merged(self.seen.get(key, ())), is_test(site.path))
            for key, site in sorted(self.sites.items(), key=lambda item: item[1].order)
        ]

    def _count(self, counts: Counts) -> None:
        """Charge what was seen to its site, and to the callers of the helper that this is in."""
        via: Helper | None = None
        for number, frame in enumerate(counts["frames"]):
            site = self._site(counts, frame, via)
            at_once, same_name = counts["peaks"][number]
            own = {**counts, "at_once": at_once, "same_name": same_name}
            self.seen.setdefault(site.key, []).append(own)
            via = self.project.helpers.known.get((frame[0], frame[4])) or self._helper(site)
            if via is None or via.decorated:
                return

    def _site(self, counts: Counts, frame: Sequence[Any], via: Helper | None) -> Site:
        """Return the site at a place, made up from the source where the scan did not find it.

        Parameters:
            counts: what was seen of it.
            frame: path, line, end line, end column and qualified name of the code.
            via: the helper that the code there has called, if it has not made the thing itself.
        """
        path, line, end, qualname = frame[0], frame[1], (frame[2], frame[3]), frame[4]
        scan = self.project.scan(path)
        call = scan.at(end, line) if scan is not None else None
        if call is not None and scan is not None:
            end = (call.end_lineno or 0, call.end_col_offset or 0)
        known = self.sites.get((path, end)) or (None if end[0] else self._on_line(path, line))
        if known is not None and known.sure:
            return known
        if known is not None and via is None:
            fate = Fate("group") if group_of(counts["call"]) else known.fate
            known = self.sites[known.key] = replace(known, sure=True, call=counts["call"], fate=fate)
            return known
        made = Making(counts["kind"], counts["call"], group=group_of(counts["call"]))
        if scan is None or call is None:
            end = end if end[0] else (line, 0)
            fate = Fate("group") if made.group else Fate("handed", "on")
            found = Site(
                path=path, line=line, end=end, qualname=qualname, kind=made.kind, call=made.call,
                named=None, fate=fate, via=via.qualname if via is not None else "",
            )  # fmt: skip
        elif via is not None:
            found = self.project.helpers.site(scan, call, via)
        else:
            found = scan.site(call, made)
            found = replace(found, named=found.named or has_name(call, made))
        self.sites[found.key] = found
        return found

    def _on_line(self, path: str, line: int) -> Site | None:
        """Return the only site on a line, for code that does not know its columns."""
        found = [site for site in self.sites.values() if (site.path, site.line) == (path, line)]
        return found[0] if len(found) == 1 else None

    def _helper(self, site: Site) -> Helper | None:
        """Return the helper that the function of a site is, where only the run has shown that."""
        scan = self.project.scan(site.path)
        call = scan.source.calls.get(site.end) if scan is not None else None
        if scan is None or call is None:
            return None
        found = self.project.helpers.around(scan, call, site)
        for helper in found:
            self.project.helpers.add(helper)
        if found:
            self.sites[site.key] = self.project.helpers.mark(site)
        return found[0] if found else None


def group_of(call: str) -> str:
    """Return the word for a group, if a call is one of a group's."""
    return "a task group" if call.startswith("TaskGroup.") else ""


def totals(rows: Iterable[Row]) -> dict[str, Any]:
    """Return how many rows there are, and how many of them were seen."""
    every = list(rows)
    return {
        "sites": len(every),
        "files": len({row.site.path for row in every}),
        "seen": sum(row.made > 0 for row in every),
    }
