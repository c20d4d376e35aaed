"""The layout of findings, to the letter."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import Any

import pytest

from pytest_taskleak.diagnosis import Diagnosis, Edge, Graph, Node
from pytest_taskleak.model import Birth, Finding, Frame, Owner, Resource, Verdict
from pytest_taskleak.report import graph, text

TEST = Owner(kind="test", name="test_fetch", nodeid="tests/test_api.py::test_fetch")
FIXTURE = Owner(kind="fixture", name="server", scope="session", nodeid="tests/test_api.py::test_last")
BIRTH = Birth(
    frames=(
        Frame(path="app/poller.py", line=41, qualname="Poller.start"),
        Frame(path="tests/test_api.py", line=18, qualname="test_fetch"),
    )
)


def finding(code: str = "TL101", kind: str = "task", **changes: Any) -> Finding:
    """Return a finding as in the documentation."""
    resource = Resource(
        code=code,
        name="poller",
        what="Poller._run",
        module="app.poller",
        state="is still pending",
        waiting=(Frame(path="app/poller.py", line=57, qualname="Poller._run"),),
        waits_for="asyncio.sleep(30)",
        noun="executor call" if code == "TL304" else "",
        outlives=code != "TL102",
    )
    found = Finding(
        kind=kind,
        resource=resource,
        owner=TEST,
        birth=BIRTH,
        advice="keep the task and end it",
        allow="task:app.poller:Poller._run",
    )
    return replace(found, **changes)


def lines(block: str) -> str:
    """Return a block as it is printed."""
    return textwrap.dedent(block).strip("\n")


def test_block() -> None:
    assert text.block(finding()) == lines(
        """
        TL101  task 'poller' (Poller._run) is still pending after the test ended
          owner     test tests/test_api.py::test_fetch
          born      app/poller.py:41  Poller.start
                    called from tests/test_api.py:18  test_fetch
          waiting   app/poller.py:57  Poller._run -> asyncio.sleep(30)
          fix       keep the task and end it
          allow     @pytest.mark.taskleak(allow="task:app.poller:Poller._run")
        """
    )


def test_block_of_a_fixture_with_notes_and_counts() -> None:
    found = finding(owner=FIXTURE, count=3, notes=("with 2 more that it waits for or owns (task)",))
    assert text.block(found).splitlines()[:2] == [
        "TL101  task 'poller' (Poller._run), one of 3, is still pending after fixture 'server' ended",
        "  owner     fixture 'server' (scope session)",
    ]
    assert "  note      with 2 more that it waits for or owns (task)" in text.block(found)


def test_block_of_a_library() -> None:
    frame = Frame(path="pooling/core.py", line=9, qualname="start", role="library")
    block = text.block(finding(library="pooling 1.2", birth=Birth(frames=(frame,))))
    assert "  born      pooling/core.py:9  start" in block
    assert "  library   leak of pooling 1.2: no code of the project took part" in block


def test_library_frame_comes_before_the_users() -> None:
    frame = Frame(path="pooling/core.py", line=9, qualname="start", role="library")
    deeper = Frame(path="pooling/core.py", line=20, qualname="connect", role="library")
    block = text.block(finding(birth=Birth(frames=(frame, deeper, *BIRTH.frames))))
    assert lines(
        """
          born      pooling/core.py:9  start
                    called from app/poller.py:41  Poller.start
                    called from tests/test_api.py:18  test_fetch
        """
    ) in textwrap.dedent(block.partition("owner")[2].partition("\n")[2])


def test_unknown_birth_is_said() -> None:
    assert "  born      unknown: no line of Python was seen to make it" in text.block(finding(birth=Birth()))


def test_ancestor_is_told_where_no_own_frame_is() -> None:
    block = text.block(finding(birth=Birth(ancestor=BIRTH.frames)))
    assert "  born      by what was born at app/poller.py:41  Poller.start" in block


def test_long_await_chains_are_cut_in_the_middle() -> None:
    frames = tuple(Frame(path="app/a.py", line=i, qualname=f"f{i}") for i in range(1, 7))
    machinery = Frame(path="asyncio/locks.py", line=212, qualname="Event.wait", role="machinery")
    found = finding()
    found = replace(
        found,
        resource=replace(found.resource, waiting=(*frames, machinery), waits_for="asyncio.Event.wait()"),
    )
    rows = text.waiting_row(found, 0)
    assert rows == [
        "  waiting   app/a.py:1  f1",
        "            in app/a.py:6  f6 -> asyncio.Event.wait()",
    ]
    assert len(text.waiting_row(found, 2)) == 7


@pytest.mark.parametrize(
    ("findings", "headline"),
    [
        ([finding()], "1 task outlived the test: 'poller' [TL101]"),
        ([finding(count=2)], "2 tasks outlived the test [TL101]"),
        ([finding(owner=FIXTURE)], "1 task outlived fixture 'server': 'poller' [TL101]"),
        ([finding("TL102")], "1 task left behind by the test: 'poller' [TL102]"),
        ([finding(), finding(owner=FIXTURE)], "2 tasks outlived their owners [TL101]"),
        ([finding(), finding("TL201", "timer")], "1 task and 1 timer outlived the test [TL101, TL201]"),
        ([finding("TL304", "executor")], "1 executor call outlived the test: 'poller' [TL304]"),
        ([finding("TL304", "executor", count=2)], "2 executor calls outlived the test [TL304]"),
        ([finding("TL801", "plug")], "1 plug outlived the test: 'poller' [TL801]"),
    ],
)
def test_headline(findings: list[Finding], headline: str) -> None:
    assert text.headline(findings) == headline


def test_section_cuts_and_lists() -> None:
    many = tuple(finding(owner=replace(TEST, nodeid=f"t.py::test_{i}")) for i in range(7))
    verdict = Verdict(
        findings=many, allowed=(finding(rule="'task:*' (ini taskleak_allow)"),), notes=("a word",)
    )
    short = text.section(verdict)
    assert short.count("TL101  task") == 5
    assert "... and 2 more" in short
    assert "note  a word" in short
    assert "allowed" not in short
    whole = text.section(verdict, verbosity=1)
    assert whole.count("TL101  task 'poller'") == 8
    assert "rule      'task:*' (ini taskleak_allow)" in whole


def test_summary_groups_equal_sites() -> None:
    found = [finding(owner=replace(TEST, nodeid=f"t.py::test_{i}")) for i in range(3)]
    rows = text.summary([*found, finding("TL201", "timer")])
    assert rows == [
        ("TL101", "3 tasks", "Poller._run", "app/poller.py:41", "in 3 tests, e.g. t.py::test_0"),
        ("TL201", "1 timer", "Poller._run", "app/poller.py:41", "in tests/test_api.py::test_fetch"),
    ]


def test_summary_puts_the_most_first() -> None:
    other = replace(BIRTH, frames=BIRTH.frames[1:])
    rows = text.summary([finding(), *[finding(birth=other)] * 12])
    assert [row[1] for row in rows] == ["12 tasks", "1 task"]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a'b"])
def test_allow_line_is_python(name: str) -> None:
    block = text.block(finding(allow=f"task:{name}"))
    line = next(row for row in block.splitlines() if row.startswith("  allow"))
    code = line.partition("allow=")[2].removesuffix(")")
    assert eval(code) == f"task:{name}"  # noqa: S307 -- the very point: the line can be pasted


@pytest.mark.parametrize(
    ("owner", "line"),
    [
        (TEST, '@pytest.mark.taskleak(allow="task:app.poller:Poller._run")'),
        (FIXTURE, 'taskleak_allow = ["task:app.poller:Poller._run"] in the ini file'),
        (
            replace(FIXTURE, scope="module"),
            'pytest.mark.taskleak(allow="task:app.poller:Poller._run") as the module\'s pytestmark',
        ),
        (Owner(kind="block", name="no_leaks"), 'no_leaks(allow="task:app.poller:Poller._run")'),
    ],
)
def test_permission_takes_effect_where_it_is_written(owner: Owner, line: str) -> None:
    assert text.permission(finding(owner=owner)) == line


# --- diagnoses ------------------------------------------------------------------------------------


DIAGNOSIS = Diagnosis(
    finality="stuck",
    ends="never: nothing alive can wake it (proven)",
    waits=(("held by", "task 'ba', taken at app/bank.py:7  transfer"), ("", "... and 2 more")),
    kept=("app.bank.TASKS['ab']", "fixture 'bank' (module) -> ._tasks[0]"),
    cause="lock-order",
    why="the locks are taken in different orders",
    node="t1",
)
GRAPH = Graph(
    nodes=(
        Node(key="t1", kind="task", label="task 'ab'", where="app/bank.py:9", finality="stuck"),
        Node(key="l1", kind="lock", label="asyncio.Lock `dst` #1"),
        Node(key="t2", kind="task", label="task 'ba'", where="app/bank.py:9", finality="stuck"),
        Node(key="l2", kind="lock", label="asyncio.Lock `dst` #2"),
    ),
    edges=(
        Edge(source="t1", target="l1", label="waits for", where="app/bank.py:9"),
        Edge(source="l1", target="t2", label="held by", where="app/bank.py:7"),
        Edge(source="t2", target="l2", label="waits for", where="app/bank.py:9"),
        Edge(source="l2", target="t1", label="held by", where="app/bank.py:7"),
    ),
    cycles=(("t1", "t2"),),
)


def test_block_with_a_diagnosis() -> None:
    found = finding(diagnosis=DIAGNOSIS, notes=("a word",))
    found = replace(found, resource=replace(found.resource, details=(("cancelled", "once"),)))
    assert text.block(found) == lines(
        """
        TL101  task 'poller' (Poller._run) is still pending after the test ended
          owner     test tests/test_api.py::test_fetch
          born      app/poller.py:41  Poller.start
                    called from tests/test_api.py:18  test_fetch
          waiting   app/poller.py:57  Poller._run -> asyncio.sleep(30)
          cancelled once
          held by   task 'ba', taken at app/bank.py:7  transfer
                    ... and 2 more
          kept by   app.bank.TASKS['ab']
                    fixture 'bank' (module) -> ._tasks[0]
          ends      never: nothing alive can wake it (proven)
          why       the locks are taken in different orders
          note      a word
          fix       keep the task and end it
          allow     @pytest.mark.taskleak(allow="task:app.poller:Poller._run")
        """
    )


def test_rows_without_words_are_left_out() -> None:
    assert text.diagnosis_rows(None) == []
    assert text.diagnosis_rows(Diagnosis()) == []
    assert text.diagnosis_rows(Diagnosis(ends="in 3 s")) == ["  ends      in 3 s"]
    assert text.block(finding(diagnosis=Diagnosis())) == text.block(finding())


def test_section_tells_a_deadlock_once() -> None:
    verdict = Verdict(findings=(finding(diagnosis=DIAGNOSIS),), graphs=(GRAPH,))
    section = text.section(verdict)
    assert section.count("deadlock\n") == 1
    (story,) = graph.stories(GRAPH)
    assert section.endswith("\n\ndeadlock\n" + "".join(f"  {line}\n" for line in story).rstrip())


def test_section_shows_the_tree_from_verbose_on() -> None:
    verdict = Verdict(findings=(finding(diagnosis=DIAGNOSIS),), graphs=(GRAPH, replace(GRAPH, cycles=())))
    assert "wait-for graph" not in text.section(verdict)
    section = text.section(verdict, verbosity=1)
    assert section.count("wait-for graph\n  task 'ab'") == 2
    assert section.count("deadlock\n") == 1
    assert "`- " in section
    assert section.isascii()


def test_no_graph_no_section() -> None:
    assert text.cycles(Verdict(graphs=(Graph(), replace(GRAPH, cycles=())))) == []
    assert text.section(Verdict(findings=(finding(),))) == text.block(finding())
