"""Which rule allows a finding, and where was the rule written?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pytest_taskleak.model import Finding

ROLES = ("coroutine", "target", "callback")
FIELDS = ("name", *ROLES, "module", "package", "owner")
KINDS: dict[str, str] = {"handle": "timer", "generator": "asyncgen", "descriptor": "fd"}
"""Other words that are taken for a kind."""


class RuleError(ValueError):
    """A rule that cannot be read; the message says why and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What may be left behind.

    Parameters:
        text: the rule as written.
        origin: where it was written, as "ini taskleak_allow".
        kind: a kind, a message code, or `*`.
        field: one of `FIELDS`, or empty: the name, the qualified name and `module:qualname`.
        glob: a pattern of `fnmatch`, case matters.
        reason: why, in the user's words.
    """

    text: str
    origin: str
    kind: str
    field: str = ""
    glob: str = "*"
    reason: str = ""

    def matches(self, finding: Finding) -> bool:
        """Tell whether this rule allows a finding."""
        if self.kind not in ("*", finding.kind, finding.code):
            return False
        return self.glob == "*" or any(fnmatchcase(v, self.glob) for v in self._values(finding))

    def _values(self, finding: Finding) -> Iterable[str]:
        resource = finding.resource
        qualified = (resource.what, f"{resource.module}:{resource.what}")
        fields: Mapping[str, tuple[str, ...]] = {
            "": (resource.name, *qualified),
            "name": (resource.name,),
            **{role: qualified if resource.role == role else () for role in ROLES},
            "module": (resource.module,),
            "package": ((finding.library or "").split(" ")[0], resource.module.split(".")[0]),
            "owner": (finding.owner.name, finding.owner.nodeid),
        }
        return fields[self.field]

    def __str__(self) -> str:
        reason = f", because {self.reason}" if self.reason else ""
        return f"{self.text!r} ({self.origin}{reason})"


def parse(text: object, *, origin: str, kinds: Iterable[str], codes: Iterable[str], reason: str = "") -> Rule:
    """Read one rule: `KIND:GLOB`, `KIND:FIELD=GLOB`, `CODE` or `CODE:GLOB`.

    Raises:
        RuleError: the kind, code or field is unknown, or the text is empty.
    """
    if not isinstance(text, str) or not text.strip():
        raise RuleError(f"a rule must be a non-empty string such as 'task:poller-*', got {text!r}")
    head, colon, pattern = (part.strip() for part in text.partition(":"))
    known = list(kinds)
    kind = singular(head, known)
    if kind not in known and kind not in codes and kind != "*":
        close = suggestion(head, [*known, *codes])
        raise RuleError(
            f"rule {text!r}: {head!r} is no kind and no code{close}; "
            f"allowed kinds are {', '.join(known)} and *, codes are {', '.join(codes)}"
        )
    if not colon:
        if kind in codes:
            return Rule(text=text, origin=origin, kind=kind, reason=reason)
        raise RuleError(f"rule {text!r}: a pattern is missing; write '{kind}:PATTERN' ('{kind}:*' for all)")
    if not pattern:
        raise RuleError(f"rule {text!r}: the pattern is empty; write '{kind}:*' for all")
    field, equals, glob = pattern.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_]+", field):
        return Rule(text=text, origin=origin, kind=kind, glob=pattern, reason=reason)
    if field not in FIELDS:
        close = suggestion(field, FIELDS)
        raise RuleError(f"rule {text!r}: unknown field {field!r}{close}; allowed: {', '.join(FIELDS)}")
    if not glob:
        raise RuleError(f"rule {text!r}: the pattern is empty; write '{kind}:{field}=*' for all")
    return Rule(text=text, origin=origin, kind=kind, field=field, glob=glob, reason=reason)


def singular(word: str, kinds: Iterable[str]) -> str:
    """Return the kind that a word means: plurals and the field's other words are taken too."""
    known = set(kinds)
    for form in (word, word.removesuffix("s"), word.removesuffix("es")):
        if form in known:
            return form
        if KINDS.get(form) in known:
            return KINDS[form]
    return word


def suggestion(word: str, allowed: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" where something close is allowed."""
    from difflib import get_close_matches

    close = get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""
