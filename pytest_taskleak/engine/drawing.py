"""Where do drawings of the references to what is reported go?"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.explain.birth import shorten
from pytest_taskleak.explain.retention import draw
from pytest_taskleak.model import Finding

Pair = tuple[Leftover, Finding]
LONGEST = 120
"""Letters of the name of a file."""


def drawn(told: Sequence[Pair], found: dict[int, Finding], folder: str) -> dict[int, Finding]:
    """Draw the references that lead to what is told, a file for each owner; return the findings.

    Parameters:
        told: what is explained.
        found: the findings, by the identity of the leftover.
        folder: where the files go.
    """
    pictures: dict[int, Finding] = {}
    for owner in {f.owner: None for _, f in told}:
        items = [item for item, f in told if f.owner == owner]
        name = re.sub(r"\W+", "-", owner.nodeid if owner.kind == "test" else f"{owner.kind} {owner.name}")
        path = os.path.join(folder, f"{name.strip('-')[:LONGEST]}.dot")
        draw([item.thing for item in items], path)
        for item in items:
            finding = found[id(item)]
            if finding.diagnosis is not None:
                rows = (*finding.diagnosis.waits, ("drawn in", shorten(path, os.getcwd())))
                pictures[id(item)] = replace(finding, diagnosis=replace(finding.diagnosis, waits=rows))
    return pictures
