"""How does a finding read?  Pure layout: values in, lines out.

The order is always: what, owner, born, waiting, kept by, ends, why, fix, allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_taskleak.diagnosis import Diagnosis
from pytest_taskleak.model import Finding, Frame, Owner, Verdict
from pytest_taskleak.report.graph import stories, tree

MOST_FINDINGS = 5
MOST_CALLERS = 2
MOST_WAITING = 2
ALL_FRAMES = 2
"""The verbosity from which library and machinery frames are shown."""


def headline(findings: Sequence[Finding], unmet: Sequence[str] = ()) -> str:
    """Return one line that stands alone: how many of what, whose, and the codes."""
    if not findings:
        return f"expected a leak that did not happen: {', '.join(unmet)}"
    counts: dict[str, int] = {}
    for finding in findings:
        counts[noun(finding)] = counts.get(noun(finding), 0) + finding.count
    what = " and ".join(f"{n} {plural(kind, n)}" for kind, n in counts.items())
    codes = ", ".join(sorted({f.code for f in findings}))
    verb = "outlived" if any(f.resource.outlives for f in findings) else "left behind by"
    names = f": {findings[0].resource.name!r}" if sum(counts.values()) == 1 else ""
    return f"{what} {verb} {whose(findings)}{names} [{codes}]"


def whose(findings: Sequence[Finding]) -> str:
    """Name the owner in a headline."""
    owners = {(f.owner.kind, f.owner.name) for f in findings}
    kind, name = next(iter(owners))
    if len(owners) > 1:
        return "their owners"
    return {"test": "the test", "fixture": f"fixture {name!r}"}.get(kind, f"the {kind}")


def noun(finding: Finding) -> str:
    """Return the word for a finding: its kind, or what the code makes of it."""
    return finding.resource.noun or finding.kind


def plural(kind: str, count: int) -> str:
    """Return the word for so many of a kind."""
    return kind if count == 1 else f"{kind}{'es' if kind.endswith('s') else 's'}"


def section(verdict: Verdict, *, verbosity: int = 0) -> str:
    """Return the text of a verdict for the terminal and for IDEs."""
    limit = len(verdict.findings) if verbosity > 0 else MOST_FINDINGS
    blocks = [block(f, verbosity=verbosity) for f in verdict.findings[:limit]]
    rest = verdict.findings[limit:]
    if rest:
        blocks.append(f"... and {sum(f.count for f in rest)} more: {headline(rest)}; -v shows all")
    blocks += cycles(verdict, verbosity=verbosity)
    if verbosity > 0:
        blocks += [f"allowed  {first_line(f)}\n  rule      {f.rule}" for f in verdict.allowed]
    blocks += [f"expected  {rule} matches nothing that this test left behind" for rule in verdict.unmet]
    blocks += [f"note  {note}" for note in verdict.notes]
    return "\n\n".join(blocks)


def first_line(finding: Finding) -> str:
    """Return code, kind, name and state of a finding."""
    resource = finding.resource
    many = f", one of {finding.count}," if finding.count > 1 else ""
    what = f" ({resource.what})" if resource.what and resource.what != resource.name else ""
    return f"{resource.code}  {noun(finding)} {resource.name!r}{what}{many} {state(finding)}"


def one_line(finding: Finding) -> str:
    """Return the first line of a finding with the place that it names last."""
    waiting = finding.resource.waiting
    return (
        f"{first_line(finding)}, {finding.resource.where} at {waiting[-1]}"
        if waiting
        else first_line(finding)
    )


def state(finding: Finding) -> str:
    """Return the clause that says what is wrong."""
    resource = finding.resource
    return f"{resource.state} after {ended(finding.owner)} ended" if resource.outlives else resource.state


def ended(owner: Owner) -> str:
    """Name the scope that has closed."""
    if owner.kind == "test":
        return "the test"
    if owner.kind == "fixture":
        return f"fixture {owner.name!r}"
    return f"module {owner.name}" if owner.kind == "module" else f"the {owner.kind}"


def block(finding: Finding, *, verbosity: int = 0) -> str:
    """Return the lines of one finding."""
    rows = [first_line(finding), row("owner", str(finding.owner))]
    rows += birth_rows(finding, verbosity)
    waiting = waiting_row(finding, verbosity)
    if waiting:
        rows += waiting
    rows += [row(label, text) for label, text in finding.resource.details]
    rows += diagnosis_rows(finding.diagnosis)
    if finding.library:
        rows.append(row("library", f"leak of {finding.library}: no code of the project took part"))
    rows += [row("note", note) for note in finding.notes]
    rows.append(row("fix", finding.advice))
    rows.append(row("allow", permission(finding)))
    return "\n".join(rows)


def diagnosis_rows(diagnosis: Diagnosis | None) -> list[str]:
    """Return who holds what it waits for, who keeps it, whether it can ever end, and why it is left."""
    if diagnosis is None:
        return []
    rows = [row(label, text) for label, text in diagnosis.waits]
    rows += [row("" if number else "kept by", chain) for number, chain in enumerate(diagnosis.kept)]
    rows += [row("ends", diagnosis.ends)] if diagnosis.ends else []
    return rows + ([row("why", diagnosis.why)] if diagnosis.why else [])


def cycles(verdict: Verdict, *, verbosity: int = 0) -> list[str]:
    """Return the story of each cycle of waits, and from -v on the whole wait-for graphs as trees."""
    blocks = []
    for found in verdict.graphs:
        blocks += ["\n".join(["deadlock", *(f"  {line}" for line in story)]) for story in stories(found)]
        if verbosity > 0:
            blocks.append("\n".join(["wait-for graph", *(f"  {line}" for line in tree(found, ascii=True))]))
    return blocks


def permission(finding: Finding) -> str:
    """Return what to write, and where it takes effect, to allow a finding."""
    rule = quoted(finding.allow)
    owner = finding.owner
    if owner.kind == "block":
        return f"no_leaks(allow={rule})"
    if owner.kind == "fixture" and owner.scope in ("class", "module"):
        where = "on the class" if owner.scope == "class" else "as the module's pytestmark"
        return f"pytest.mark.taskleak(allow={rule}) {where}"
    if owner.kind in ("module", "session") or (owner.kind == "fixture" and owner.scope != "function"):
        return f"taskleak_allow = [{rule}] in the ini file"
    return f"@pytest.mark.taskleak(allow={rule})"


def birth_rows(finding: Finding, verbosity: int) -> list[str]:
    """Return where it was born, the user's frames first."""
    frames = finding.birth.frames
    chosen = list(frames) if verbosity >= ALL_FRAMES else shown(frames)
    rows = []
    for number, frame in enumerate(chosen):
        label = "born" if number == 0 else ""
        lead = "" if number == 0 else "called from "
        rows.append(row(label, f"{lead}{place(frame)}"))
    if not any(f.role == "project" for f in frames):
        mine = [f for f in finding.birth.ancestor if f.role == "project"][:1]
        rows += [row("" if rows else "born", f"by what was born at {place(f)}") for f in mine]
    told = finding.owner.kind in ("module", "session") or not finding.resource.outlives
    if not rows and not (told and (finding.resource.waiting or finding.owner.kind != "test")):
        rows.append(row("born", "unknown: no line of Python was seen to make it"))
    return rows


def shown(frames: Sequence[Frame]) -> list[Frame]:
    """Return the nearest library frame, if a library made it, and the user's frames."""
    project = [f for f in frames if f.role == "project"]
    library = frames[:1] if frames and frames[0].role == "library" else ()
    return [*library, *project[:MOST_CALLERS]]


def waiting_row(finding: Finding, verbosity: int) -> list[str]:
    """Return where it waits, and for what."""
    resource = finding.resource
    frames = [f for f in resource.waiting if f.role != "machinery"]
    if verbosity >= ALL_FRAMES:
        frames = list(resource.waiting)
    elif len(frames) > MOST_WAITING:
        frames = [frames[0], frames[-1]]
    target = f" -> {resource.waits_for}" if resource.waits_for else ""
    if not frames:
        return [row(resource.where, f"-> {resource.waits_for}")] if resource.waits_for else []
    rows = [row(resource.where, place(frames[0]))]
    rows += [row("", f"in {place(frame)}") for frame in frames[1:]]
    rows[-1] += target
    return rows


def place(frame: Frame) -> str:
    """Return a frame as `path:line  qualname`."""
    return f"{frame.path}:{frame.line}  {frame.qualname}"


def row(label: str, text: str) -> str:
    """Return one labelled line."""
    return f"  {label:<9} {text}".rstrip()


def quoted(text: str) -> str:
    """Return a Python string literal in double quotes where that is possible."""
    return f'"{text}"' if '"' not in text and "\\" not in text else repr(text)


def summary(findings: Iterable[Finding]) -> list[tuple[str, ...]]:
    """Return the rows of the table at the end: code, count, tests, birth, example."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        site = finding.site
        born = str(site) if site else "on an unknown line"
        key = (finding.code, noun(finding), finding.resource.what, born)
        groups.setdefault(key, []).append(finding)
    rows: list[tuple[str, ...]] = []
    for (code, kind, what, born), members in groups.items():
        count = sum(f.count for f in members)
        tests = sorted({f.owner.nodeid or f.owner.name for f in members})
        more = f"in {len(tests)} tests, e.g. {tests[0]}" if len(tests) > 1 else f"in {tests[0]}"
        rows.append((code, f"{count} {plural(kind, count)}", what, born, more))
    return sorted(rows, key=lambda r: (-int(r[1].split()[0]), r))
