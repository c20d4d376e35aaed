"""The layout of wait-for graphs: tree, story, Mermaid and DOT, to the letter."""

from __future__ import annotations

import json
import re
import textwrap

import pytest

from pytest_taskleak.diagnosis import Edge, Finality, Graph, Node
from pytest_taskleak.report.graph import dot, mermaid, stories, tree


def task(key: str, name: str, where: str = "", finality: Finality | None = None) -> Node:
    return Node(key=key, kind="task", label=f"task {name!r}", where=where, finality=finality)


def thread(key: str, name: str, where: str = "") -> Node:
    return Node(key=key, kind="thread", label=f"thread {name!r}", where=where)


def thing(key: str, kind: str, label: str) -> Node:
    return Node(key=key, kind=kind, label=label)


def edge(source: str, target: str, label: str, where: str = "") -> Edge:
    return Edge(source=source, target=target, label=label, where=where)


LOCK_ORDER = Graph(
    nodes=(
        task("t1", "A", "bank.py:9", "deadlock"),
        task("t2", "B", "bank.py:13", "deadlock"),
        thing("p1", "lock", "asyncio.Lock `L1`"),
        thing("p2", "lock", "asyncio.Lock `L2`"),
    ),
    edges=(
        edge("t1", "p2", "awaits", "bank.py:9"),
        edge("p2", "t2", "held by", "bank.py:12"),
        edge("t2", "p1", "awaits", "bank.py:13"),
        edge("p1", "t1", "held by", "bank.py:7"),
    ),
    cycles=(("t1", "t2"),),
)
LOCK_AND_QUEUE = Graph(
    nodes=(
        task("t1", "A", "x.py:96", "stuck"),
        task("t2", "B", "x.py:100", "stuck"),
        thing("p1", "lock", "asyncio.Lock `lock`"),
        thing("p2", "queue", "asyncio.Queue `q`"),
    ),
    edges=(
        edge("t1", "p1", "awaits", "x.py:96"),
        edge("p1", "t2", "held by", "x.py:99"),
        edge("t2", "p2", "awaits", "x.py:100"),
        edge("p2", "t1", "needs put()", "x.py:97"),
    ),
    cycles=(("t1", "t2"),),
)
MUTUAL = Graph(
    nodes=(task("t1", "x", "m.py:3"), task("t2", "y", "m.py:7")),
    edges=(edge("t1", "t2", "awaits", "m.py:3"), edge("t2", "t1", "awaits", "m.py:7")),
    cycles=(("t1", "t2"),),
)
AGAIN = Graph(
    nodes=(task("t1", "reenter", "x.py:87"), thing("p1", "lock", "asyncio.Lock `L1`")),
    edges=(edge("t1", "p1", "awaits", "x.py:87"), edge("p1", "t1", "held by", "x.py:86")),
    cycles=(("t1",),),
)
ITSELF = Graph(
    nodes=(task("t1", "selfish", "x.py:3"),),
    edges=(edge("t1", "t1", "awaits", "x.py:3"),),
    cycles=(("t1",),),
)
PERMITS = Graph(
    nodes=(
        task("t1", "r0", "db.py:40"),
        task("t2", "r1", "db.py:50"),
        thing("s", "semaphore", "asyncio.Semaphore `permits`"),
    ),
    edges=(
        edge("t1", "s", "awaits", "db.py:40"),
        edge("s", "t1", "held by", "db.py:36"),
        edge("s", "t2", "held by", "db.py:37"),
    ),
    cycles=(("t1",),),
)
CROWD = Graph(
    nodes=(
        *(task(f"t{n}", f"w{n}", "e.py:3") for n in range(17)),
        thing("p", "event", "asyncio.Event `gate`"),
    ),
    edges=tuple(edge(f"t{n}", "p", "awaits", "e.py:3") for n in range(17)),
)
THREADS = Graph(
    nodes=(
        thread("h1", "one", "svc.py:131"),
        thread("h2", "two", "svc.py:140"),
        thing("a", "lock", "threading.Lock `A`"),
        thing("b", "lock", "threading.RLock `B`"),
    ),
    edges=(
        edge("h1", "a", "waits for", "svc.py:131"),
        edge("a", "h2", "held by", "svc.py:125"),
        edge("h2", "b", "waits for", "svc.py:140"),
        edge("b", "h1", "held by"),
    ),
    cycles=(("h1", "h2"),),
)
EVERY = (LOCK_ORDER, LOCK_AND_QUEUE, MUTUAL, AGAIN, ITSELF, PERMITS, CROWD, THREADS, Graph())
EVIL = "x`\"'<b>&#|\n\\]);-->\u202e"
HOSTILE = Graph(
    nodes=(task("end", EVIL, EVIL, "closed"), thing(EVIL, "lock", f"Lock `{EVIL}`")),
    edges=(edge("end", EVIL, EVIL, EVIL),),
)


def lines(block: str) -> list[str]:
    """Return a block as it is printed."""
    return textwrap.dedent(block).strip("\n").splitlines()


def test_tree_of_a_circle() -> None:
    assert tree(LOCK_ORDER) == lines(
        """
        task 'A' at bank.py:9 [deadlock]
        └─ awaits asyncio.Lock `L2`
           └─ held by task 'B' since bank.py:12, now at bank.py:13 [deadlock]
              └─ awaits asyncio.Lock `L1`
                 └─ held by task 'A' since bank.py:7 (cycle: back to task 'A')
        """
    )


def test_tree_in_plain_characters() -> None:
    assert tree(LOCK_AND_QUEUE, ascii=True) == lines(
        """
        task 'A' at x.py:96 [stuck]
        `- awaits asyncio.Lock `lock`
           `- held by task 'B' since x.py:99, now at x.py:100 [stuck]
              `- awaits asyncio.Queue `q`
                 `- needs put() by task 'A' at x.py:97 (cycle: back to task 'A')
        """
    )


def test_tree_counts_a_crowd() -> None:
    assert tree(CROWD) == lines(
        """
        task 'w0' at e.py:3
        └─ awaits asyncio.Event `gate`
           ├─ also awaited by task 'w1' at e.py:3
           ├─ also awaited by task 'w2' at e.py:3
           ├─ also awaited by task 'w3' at e.py:3
           ├─ also awaited by task 'w4' at e.py:3
           └─ ... and 12 more
        """
    )


def test_tree_of_several_holders() -> None:
    assert tree(PERMITS, ascii=True) == lines(
        """
        task 'r0' at db.py:40
        `- awaits asyncio.Semaphore `permits`
           |- held by task 'r0' since db.py:36 (cycle: back to task 'r0')
           `- held by task 'r1' since db.py:37, now at db.py:50
        """
    )


def test_circles_come_first_and_each_part_has_its_root() -> None:
    lonely = (task("t8", "parent", "p.py:1"), task("t9", "child", "p.py:2"))
    both = Graph(
        nodes=(*lonely, *LOCK_ORDER.nodes),
        edges=(edge("t8", "t9", "awaits", "p.py:1"), *LOCK_ORDER.edges),
        cycles=LOCK_ORDER.cycles,
    )
    found = tree(both)
    assert [line for line in found if not line.startswith((" ", "└", "├"))] == [
        "task 'A' at bank.py:9 [deadlock]",
        "task 'parent' at p.py:1",
    ]
    assert found[-1] == "└─ awaits task 'child' at p.py:2"


def test_who_waits_for_a_member_of_a_circle_is_not_forgotten() -> None:
    more = Graph(
        nodes=(*MUTUAL.nodes, task("t3", "z", "m.py:11")),
        edges=(*MUTUAL.edges, edge("t3", "t1", "awaits", "m.py:11")),
        cycles=MUTUAL.cycles,
    )
    assert tree(more)[-2:] == ["task 'z' at m.py:11", "└─ awaits task 'x' (see above)"]


def test_a_chain_of_a_thousand_tasks_is_cut() -> None:
    many = Graph(
        nodes=tuple(task(f"t{n}", f"n{n}") for n in range(1000)),
        edges=tuple(edge(f"t{n}", f"t{n + 1}", "awaits") for n in range(999)),
    )
    told = tree(many)
    assert told[41].strip() == "└─ ..."
    assert told[42] == "task 'n41'"


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (
            LOCK_ORDER,
            """
            task 'A' holds asyncio.Lock `L1` (since bank.py:7) and waits for `L2` (bank.py:9)
            held by task 'B' since bank.py:12, which waits for `L1` (bank.py:13)
            ... so none of them can go on
            """,
        ),
        (
            LOCK_AND_QUEUE,
            """
            task 'A' waits for asyncio.Lock `lock` (x.py:96)
            held by task 'B' since x.py:99, which waits for asyncio.Queue `q` (x.py:100)
            only task 'A' could put into it, at x.py:97
            ... so none of them can go on
            """,
        ),
        (
            MUTUAL,
            """
            task 'x' waits for task 'y' (m.py:3)
            task 'y' waits for task 'x' (m.py:7)
            ... so none of them can go on
            """,
        ),
        (
            AGAIN,
            """
            task 'reenter' holds asyncio.Lock `L1` (since x.py:86) and waits for it again (x.py:87)
            ... so it can never go on
            """,
        ),
        (
            ITSELF,
            """
            task 'selfish' waits for itself (x.py:3)
            ... so it can never go on
            """,
        ),
        (
            PERMITS,
            """
            task 'r0' holds asyncio.Semaphore `permits` (since db.py:36), as does task 'r1' (since db.py:37), and waits for it again (db.py:40)
            ... so it can never go on
            """,
        ),
        (
            THREADS,
            """
            thread 'one' holds threading.RLock `B` and waits for threading.Lock `A` (svc.py:131)
            held by thread 'two' since svc.py:125, which waits for `B` (svc.py:140)
            ... so none of them can go on
            """,
        ),
    ],
    ids=["locks", "lock-and-queue", "await", "re-entry", "itself", "permits", "threads"],
)
def test_story(graph: Graph, told: str) -> None:
    assert stories(graph) == [lines(told)]


def test_story_from_the_queue_on() -> None:
    turned = Graph(nodes=LOCK_AND_QUEUE.nodes, edges=LOCK_AND_QUEUE.edges, cycles=(("t2", "t1"),))
    assert stories(turned) == [
        lines(
            """
            task 'B' holds asyncio.Lock `lock` (since x.py:99) and waits for asyncio.Queue `q` (x.py:100)
            only task 'A' could put into it, at x.py:97, but it waits for `lock` (x.py:96)
            ... so none of them can go on
            """
        )
    ]


def test_two_things_of_one_name_are_told_apart() -> None:
    nodes = tuple(
        node if node.kind == "task" else thing(node.key, "lock", f"asyncio.Lock {node.key} `dst`")
        for node in LOCK_ORDER.nodes
    )
    told = stories(Graph(nodes=nodes, edges=LOCK_ORDER.edges, cycles=LOCK_ORDER.cycles))[0]
    assert "holds asyncio.Lock p1 `dst`" in told[0]
    assert "waits for asyncio.Lock p2 `dst`" in told[0]


def test_a_long_circle_is_shortened() -> None:
    size = 20
    ring = Graph(
        nodes=tuple(task(f"t{n}", f"n{n}") for n in range(size)),
        edges=tuple(edge(f"t{n}", f"t{(n + 1) % size}", "awaits") for n in range(size)),
        cycles=(tuple(f"t{n}" for n in range(size)),),
    )
    told = stories(ring)[0]
    assert told[5:] == [
        "... and 14 more in the same way",
        "task 'n19' waits for task 'n0'",
        "... so none of them can go on",
    ]


def test_a_circle_without_its_edges_is_told_all_the_same() -> None:
    bare = Graph(nodes=MUTUAL.nodes, cycles=MUTUAL.cycles)
    assert stories(bare)[0][0] == "task 'x' waits"


NODE = re.compile(r"  n\d+(\(\[|\[\[|\[)\"[^\"`<>|\\\n]*(<br/>[^\"`<>|\\\n]*)?\"(\]\)|\]\]|\])")
ARROW = re.compile(r"  n\d+ -->\|\"[^\"`<>|\\\n]*(<br/>[^\"`<>|\\\n]*)?\"\| n\d+")
QUOTED = r'"(?:[^"\\\n]|\\.)*"'
STATEMENT = re.compile(
    rf"  (?:n\d+(?: -> n\d+)?|node)(?: \[\w+=(?:\w+|{QUOTED})(?:, \w+=(?:\w+|{QUOTED}))*\])?;"
)


@pytest.mark.parametrize("graphs", [EVERY, (HOSTILE,), (HOSTILE, LOCK_ORDER), ()])
def test_mermaid_is_well_formed(graphs: tuple[Graph, ...]) -> None:
    first, *rest = mermaid(graphs).splitlines()
    assert first == "graph LR"
    nodes = [line for line in rest if NODE.fullmatch(line)]
    arrows = [line for line in rest if ARROW.fullmatch(line)]
    others = [line for line in rest if line not in nodes and line not in arrows]
    assert len(nodes) == sum(len(graph.nodes) for graph in graphs)
    assert len(arrows) == sum(len(graph.edges) for graph in graphs)
    assert all(line.startswith(("  classDef stuck ", "  class n")) for line in others)
    named = {line.split("[")[0].strip(" (") for line in nodes}
    assert len(named) == len(nodes)
    assert {
        word for line in arrows for word in re.findall(r"^  (n\d+)| (n\d+)$", line) for word in word if word
    } <= named


@pytest.mark.parametrize("graphs", [EVERY, (HOSTILE,), (HOSTILE, LOCK_ORDER), ()])
def test_dot_is_well_formed(graphs: tuple[Graph, ...]) -> None:
    first, *statements, last = dot(graphs).splitlines()
    assert (first, last) == ("digraph taskleak {", "}")
    assert statements.pop(0) == "  rankdir=LR;"
    assert [line for line in statements if not STATEMENT.fullmatch(line)] == []
    assert sum(" -> n" in line.split("[")[0] for line in statements) == sum(len(g.edges) for g in graphs)
    assert sum(not re.match(r"  (node|n\d+ ->)", line) for line in statements) == sum(
        len(g.nodes) for g in graphs
    )


def test_mermaid_to_the_letter() -> None:
    assert mermaid([LOCK_AND_QUEUE]).splitlines() == lines(
        """
        graph LR
          n0(["task 'A'<br/>x.py:96"])
          n1(["task 'B'<br/>x.py:100"])
          n2["asyncio.Lock #96;lock#96;"]
          n3["asyncio.Queue #96;q#96;"]
          n0 -->|"awaits<br/>x.py:96"| n2
          n2 -->|"held by<br/>x.py:99"| n1
          n1 -->|"awaits<br/>x.py:100"| n3
          n3 -->|"needs put()<br/>x.py:97"| n0
          classDef stuck fill:#fdd,stroke:#c00,color:#000
          class n0,n1 stuck
        """
    )


def test_dot_to_the_letter() -> None:
    assert dot([AGAIN]).splitlines() == lines(
        r"""
        digraph taskleak {
          rankdir=LR;
          node [shape=box, fontname="sans-serif"];
          n0 [label="task 'reenter'\nx.py:87", style="rounded,filled", fillcolor="#ffdddd", color="#cc0000"];
          n1 [label="asyncio.Lock `L1`"];
          n0 -> n1 [label="awaits\nx.py:87"];
          n1 -> n0 [label="held by\nx.py:86"];
        }
        """
    )


@pytest.mark.parametrize("graph", [*EVERY, HOSTILE])
def test_what_crossed_json_reads_the_same(graph: Graph) -> None:
    back = Graph.from_json(json.loads(json.dumps(graph.to_json())))
    assert back == graph
    assert tree(back) == tree(graph)
    assert stories(back) == stories(graph)
    assert (mermaid([back]), dot([back])) == (mermaid([graph]), dot([graph]))


def test_nothing_to_tell() -> None:
    assert tree(Graph()) == []
    assert stories(Graph()) == []
