"""How is it told what is left of a service?"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_taskleak.model import Finding

MOST_LEFT = 5
Rows = tuple[tuple[str, str], ...]


def rows_of(findings: Sequence[Finding]) -> Rows:
    """Return a row for each of the first findings, and say how many more there are."""
    rows = [("left", told_of(found)) for found in findings[:MOST_LEFT]]
    if len(findings) > MOST_LEFT:
        rows.append(("", f"and {len(findings) - MOST_LEFT} more"))
    return tuple(rows)


def told_of(found: Finding) -> str:
    """Say what was left, and where it was made."""
    resource, site = found.resource, found.site
    what = f" ({resource.what})" if resource.what and resource.what != resource.name else ""
    born = f", born {site} {site.qualname}" if site is not None else ""
    return f"{resource.noun or found.kind} {resource.name!r}{what} {resource.state}{born}"
