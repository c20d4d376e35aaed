"""Which plain values travel between looking, judging and telling?

Everything here is frozen, made of builtins, and crosses JSON and process borders unchanged.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pytest_taskleak.diagnosis import NONE_REAPED, Diagnosis, Graph, Reaped

OwnerKind = Literal["test", "fixture", "module", "session", "block"]
Role = Literal["project", "library", "machinery"]
Level = Literal["fail", "warn", "note", "ignore"]

BIRTH = "_taskleak_birth"
"""The attribute in which a thing carries its birth record; the first item of that is its owner's scope."""
SCHEMA = 1
PLAIN = ("code", "name", "what", "module", "state", "waits_for", "where", "role", "noun", "outlives")
"""The parts of a resource that are plain in JSON too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of code: where a resource was born, or where it waits.

    Parameters:
        path: the file, relative to the root of the project where it lies below it.
        line: the line's number, from 1.
        qualname: the qualified name of the function.
        role: `project` (the user's own code), `library`, or `machinery` (asyncio, pytest).
    """

    path: str
    line: int
    qualname: str
    role: Role = "project"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The page of a message code.

    Parameters:
        title: the heading of its page.
        meaning: what is the case, in one sentence.
        cause: what the code under test typically does.
        cure: what to change.
        level: how bad it is where nobody says otherwise.
    """

    title: str
    meaning: str
    cause: str
    cure: str
    level: Level = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The test or the fixture instance on whose behalf a resource was made.

    Parameters:
        kind: `test`, `fixture`, `module`, `session` (imports, plugins) or `block` (`no_leaks`).
        name: the fixture's or the test's name.
        scope: `function`, `class`, `module`, `package` or `session`.
        nodeid: the node id of the test, or of the last test that used the fixture.
    """

    kind: OwnerKind
    name: str
    scope: str = "function"
    nodeid: str = ""

    def __str__(self) -> str:
        if self.kind == "test":
            return f"test {self.nodeid or self.name}"
        if self.kind == "fixture":
            return f"fixture {self.name!r} (scope {self.scope})"
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """Who made a resource, and on which lines.

    Parameters:
        frames: the call chain, the nearest call first.
        ancestor: the chain of the nearest ancestor task or thread, if any is known.
    """

    frames: tuple[Frame, ...] = ()
    ancestor: tuple[Frame, ...] = ()

    @property
    def project(self) -> tuple[Frame, ...]:
        """The user's own frames: of this birth, else of the ancestor's."""
        own = tuple(f for f in self.frames if f.role == "project")
        return own or tuple(f for f in self.ancestor if f.role == "project")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a detector says of one live thing; strings only, taken when it was seen.

    Parameters:
        code: the message code, as `TL101`.
        name: the thing's own name (of the task, of the thread).
        what: the qualified name of its coroutine, target or callback.
        module: the module that defines `what`.
        state: a short clause that follows the name: "is still pending".
        waiting: where it waits, outermost frame first.
        waits_for: the primitive that it waits for, as "asyncio.sleep(30)".
        where: what `waiting` shows: `waiting`, `raised`, `suspended`.
        role: what `what` is to the thing: `coroutine`, `target`, `callback`, or empty.
        noun: the word for it where the kind is too wide, as "executor call".
        outlives: the clause is followed by "after ... ended"; else it stands for itself.
        details: further lines, each with its label.
    """

    code: str
    name: str
    what: str = ""
    module: str = ""
    state: str = ""
    waiting: tuple[Frame, ...] = ()
    waits_for: str = ""
    where: str = "waiting"
    role: str = ""
    noun: str = ""
    outlives: bool = True
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A leftover with everything that is known about it."""

    kind: str
    resource: Resource
    owner: Owner
    birth: Birth
    library: str | None = None
    severity: Level = "fail"
    rule: str | None = None
    advice: str = ""
    allow: str = ""
    notes: tuple[str, ...] = ()
    count: int = 1
    diagnosis: Diagnosis | None = None

    @property
    def code(self) -> str:
        """The message code, as `TL101`."""
        return self.resource.code

    @property
    def fingerprint(self) -> str:
        """What makes two findings the same leak; never a line number."""
        births = ">".join(f.qualname for f in reversed(self.birth.project))
        leaf = self.resource.waiting[-1].qualname if self.resource.waiting else ""
        return f"{self.kind}|{births}|{self.resource.module}:{self.resource.what}|{leaf}"

    @property
    def site(self) -> Frame | None:
        """The line to show first: the user's, else the nearest known one."""
        if any(f.role == "project" for f in self.birth.frames):
            return next(f for f in self.birth.frames if f.role == "project")
        return next(iter(self.birth.frames or self.birth.project), None)

    @property
    def headline(self) -> str:
        """One line that stands alone."""
        return f"{self.code} {self.kind} {self.resource.name!r} left by {self.owner}"

    def to_json(self) -> dict[str, Any]:
        """Return builtins only; `from_json` takes them back."""
        data: dict[str, Any] = {
            "code": self.code,
            "kind": self.kind,
            "name": self.resource.name,
            "what": self.resource.what,
            "module": self.resource.module,
            "state": self.resource.state,
            "waits_for": self.resource.waits_for,
            "where": self.resource.where,
            "role": self.resource.role,
            "noun": self.resource.noun,
            "outlives": self.resource.outlives,
            "details": [list(pair) for pair in self.resource.details],
            "fingerprint": self.fingerprint,
            "headline": self.headline,
        }
        data["owner"] = asdict(self.owner)
        data["born"] = [asdict(f) for f in self.birth.frames]
        data["ancestor"] = [asdict(f) for f in self.birth.ancestor]
        data["waiting"] = [asdict(f) for f in self.resource.waiting]
        for key in ("library", "severity", "rule", "advice", "allow", "count"):
            data[key] = getattr(self, key)
        data["notes"] = list(self.notes)
        data["diagnosis"] = None if self.diagnosis is None else self.diagnosis.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Finding":
        """Rebuild a finding that crossed a process border."""
        resource = Resource(
            **{k: data[k] for k in PLAIN},
            waiting=_frames(data["waiting"]),
            details=tuple((label, text) for label, text in data["details"]),
        )
        return cls(
            kind=data["kind"],
            resource=resource,
            owner=Owner(**data["owner"]),
            birth=Birth(frames=_frames(data["born"]), ancestor=_frames(data["ancestor"])),
            notes=tuple(data["notes"]),
            diagnosis=None if data["diagnosis"] is None else Diagnosis.from_json(data["diagnosis"]),
            **{k: data[k] for k in ("library", "severity", "rule", "advice", "allow", "count")},
        )


def _frames(rows: Any) -> tuple[Frame, ...]:
    return tuple(Frame(**row) for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found when a scope closed.

    Parameters:
        findings: what no rule allows, the most important first.
        allowed: what a rule allows, each with the rule's origin in `rule`.
        notes: sentences for the reader that are no findings.
        unmet: rules of what was expected to be left behind, and was not.
        graphs: the wait-for graphs over what was left, one for each look.
        reaped: what became of the tasks that were cancelled.
    """

    findings: tuple[Finding, ...] = ()
    allowed: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    graphs: tuple[Graph, ...] = ()
    reaped: Reaped = NONE_REAPED

    def level(self, *levels: Level) -> tuple[Finding, ...]:
        """Return the findings of these severities."""
        return tuple(f for f in self.findings if f.severity in levels)

    def __bool__(self) -> bool:
        return bool(self.findings or self.allowed or self.notes or self.unmet)

    def __add__(self, other: "Verdict") -> "Verdict":
        if not other:
            return self
        if not self:
            return other
        return Verdict(
            findings=self.findings + other.findings,
            allowed=self.allowed + other.allowed,
            notes=self.notes + other.notes,
            unmet=self.unmet + other.unmet,
            graphs=self.graphs + other.graphs,
            reaped=self.reaped + other.reaped,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the builtins that travel on a test report."""
        return {
            "schema": SCHEMA,
            "findings": [f.to_json() for f in self.findings],
            "allowed": [f.to_json() for f in self.allowed],
            "notes": list(self.notes),
            "unmet": list(self.unmet),
            "graphs": [graph.to_json() for graph in self.graphs],
            "reaped": asdict(self.reaped),
        }
