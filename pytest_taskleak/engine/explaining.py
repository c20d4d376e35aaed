"""How does a leftover become a finding?  Plain strings are taken here, and nothing is kept."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.explain.birth import birth_of, library_of, relative
from pytest_taskleak.model import Birth, Finding, Resource

AUTOMATIC = re.compile(
    r"(Task|Thread|ThreadPoolExecutor|ThreadPool|asyncio|\w*Process|\w*PoolWorker|SyncManager)[-_]\d"
    r"|os\.fork$|Pool$|\w+PoolExecutor$"
)
"""Names that the standard library gives by itself."""
Broken = Callable[[Any], None]


def explain(
    left: Sequence[Leftover], scope: Scope, root: str, *, broken: Broken = lambda _: None
) -> list[tuple[Leftover, Finding]]:
    """Return a finding for each leftover; what is part of another one is counted there.

    Parameters:
        left: what is left of one scope.
        scope: the scope whose owner is told.
        root: the project's directory, to shorten paths.
        broken: told of a detector that raised; its findings are left out, the others are not.
    """
    pairs = []
    for item, parts in fold(left, broken):
        try:
            found = finding(item, scope, root)
        except Exception:  # noqa: BLE001 -- the watcher's own fault must not hide other findings
            broken(item.detector)
            continue
        item.parts = parts
        pairs.append((item, replace(found, notes=folded(parts))))
    return pairs


def folded(parts: Sequence[Leftover]) -> tuple[str, ...]:
    """Say what is told under a finding."""
    if not parts:
        return ()
    kinds = sorted({item.detector.kind for item in parts})
    return (f"with {len(parts)} more that it waits for or owns ({', '.join(kinds)})",)


def fold(left: Sequence[Leftover], broken: Broken) -> list[tuple[Leftover, list[Leftover]]]:
    """Put leftovers under those they are part of; a circle is told by its first member."""
    by_id = {id(item.thing): item for item in left}
    whole: dict[int, int] = {}
    for item in left:
        try:
            parts = [id(part) for part in item.detector.parts(item.thing)]
        except Exception:  # noqa: BLE001 -- see `explain`
            broken(item.detector)
            continue
        for part in parts:
            if part in by_id and part != id(item.thing):
                whole.setdefault(part, id(item.thing))
    roots: dict[int, list[Leftover]] = {}
    known: dict[int, int] = {}  # thing -> its root, if that is no part of a circle
    for item in left:
        top, seen = id(item.thing), {id(item.thing)}
        while top in whole and whole[top] not in seen:
            top = known.get(whole[top], whole[top])
            seen.add(top)
        if top not in whole:
            known.update(dict.fromkeys(seen, top))
        if top in whole:  # a circle: its member that comes first answers for it
            top = next(id(x.thing) for x in left if id(x.thing) in seen)
        under = roots.setdefault(top, [])
        if top != id(item.thing):
            under.append(item)
    return [(by_id[top], under) for top, under in roots.items()]


def finding(item: Leftover, scope: Scope, root: str) -> Finding:
    """Describe one leftover, with its birth and the line that would allow it."""
    return told(item.detector, item.detector.describe(item.thing), item.birth, scope, root)


def told(detector: Any, resource: Resource, record: Any, scope: Scope, root: str) -> Finding:
    """Make a finding of what a detector says of a thing.

    Parameters:
        detector: the kind.
        resource: what is told of the thing.
        record: the record of its birth, if there is one.
        scope: the scope whose owner is told.
        root: the project's directory, to shorten paths.
    """
    birth = birth_of(record)
    library = library_of(birth)
    return Finding(
        kind=detector.kind,
        resource=replace(resource, waiting=relative(resource.waiting, root)),
        owner=scope.owner,
        birth=Birth(frames=relative(birth.frames, root), ancestor=relative(birth.ancestor, root)),
        library=library,
        advice=detector.advice(resource),
        allow=f"{detector.kind}:{pattern(resource, scope)}",
    )


def pattern(resource: Resource, scope: Scope) -> str:
    """Return the narrowest pattern that stands for a resource: its code, its name, or its owner.

    The standard library's names (`asyncio.sleep`, `Event.wait`) would allow half of the world.
    """
    if resource.what and resource.name.endswith(f"/{resource.what}"):
        return resource.what  # a path holds for one run
    if resource.module and resource.module.split(".")[0] not in sys.stdlib_module_names:
        return f"{resource.module}:{resource.what}"
    if resource.name != resource.what and not AUTOMATIC.match(resource.name):
        return f"name={resource.name}"
    return f"owner={scope.name}"
