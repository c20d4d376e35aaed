"""Is what a detector says of itself well formed?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pytest_taskleak.conformance.world import Trial
from pytest_taskleak.detectors import built_in, codes_of
from pytest_taskleak.detectors.base import Detector, Ending
from pytest_taskleak.diagnostics import CODES
from pytest_taskleak.judge.allow import KINDS
from pytest_taskleak.model import Code, Level

KIND = re.compile(r"[a-z][a-z0-9_]*")
NAME = re.compile(r"[A-Z][A-Z0-9_]*\d+")
PAGE = ("title", "meaning", "cause", "cure")


def well_formed(trial: Trial) -> Iterator[str]:
    """D13: kind, codes, rank and the rest are what rules, options and reports can work with."""
    detector: Any = trial.detector
    yield from kind_of_its_own(detector)
    yield from pages(detector)
    if not isinstance(detector.plural, str):
        yield f"plural is {detector.plural!r}; it must be the word for several, or empty"
    if isinstance(detector.rank, bool) or not isinstance(detector.rank, int):
        yield f"rank is {detector.rank!r}; it must be a number, the built-in kinds have 5 to 100"
    for flag in ("default", "collectable"):
        if not isinstance(getattr(detector, flag), bool):
            yield f"{flag} is {getattr(detector, flag)!r}; it must be True or False"
    endings = get_args(Ending)
    if not isinstance(detector.tied, tuple) or not set(detector.tied) <= set(endings):
        yield f"tied is {detector.tied!r}; it must be a tuple of {', '.join(map(repr, endings))}"


def kind_of_its_own(detector: Any) -> Iterator[str]:
    """Yield what is wrong with the word for the kind, and with the kind whose births it reads."""
    known: dict[str, Detector] = {d.kind: d for d in built_in()}
    kind = detector.kind
    if not KIND.fullmatch(kind):
        yield f"kind is {kind!r}; it must be one lower-case word, as rules and options write it"
    elif kind in KINDS or (kind in known and not isinstance(detector, type(known[kind]))):
        yield f"kind {kind!r} is built in; choose another word, or derive from the built-in detector"
    if detector.source and detector.source not in known:
        yield f"source is {detector.source!r}; it must be a built-in kind ({', '.join(known)}) or empty"


def pages(detector: Any) -> Iterator[str]:
    """Yield what is wrong with the codes."""
    if not detector.codes:
        yield "codes is empty; a finding needs a code: codes = {'ABC1': Code(title=..., ...)}"
        return
    taken = {**CODES, **codes_of(d for d in built_in() if not isinstance(detector, type(d)))}
    for name, page in detector.codes.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            yield f"code {name!r} is not readable in rules; write capitals and a number, as 'ABC1'"
        elif name in taken:
            yield f"code {name!r} is taken by pytest-taskleak ({taken[name].title}); choose another one"
        if not isinstance(page, Code):
            yield f"the page of {name!r} is {type(page).__name__}; it must be a pytest_taskleak.model.Code"
            continue
        for part in PAGE:
            text: object = getattr(page, part)
            if not isinstance(text, str) or not text.strip():
                yield f"the page of {name!r} has no {part}; write one"
        if page.level not in get_args(Level):
            yield f"level of {name!r} is {page.level!r}; it must be one of {', '.join(get_args(Level))}"
