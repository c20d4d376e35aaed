"""Do the values of a diagnosis add up, and do they survive JSON and process borders?"""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_taskleak.diagnosis import (
    FINALITIES,
    NONE_REAPED,
    PROVEN,
    Diagnosis,
    Edge,
    Graph,
    Node,
    Reaped,
)
from pytest_taskleak.explain.advice import variable
from pytest_taskleak.model import Birth, Finding, Owner, Resource, Verdict

texts = st.text(max_size=20)
finalities = st.sampled_from(FINALITIES)
nodes = st.builds(
    Node, key=texts, kind=texts, label=texts, where=texts, finality=st.one_of(st.none(), finalities)
)
edges = st.builds(Edge, source=texts, target=texts, label=texts, where=texts)
graphs = st.builds(
    Graph,
    nodes=st.lists(nodes, max_size=4).map(tuple),
    edges=st.lists(edges, max_size=4).map(tuple),
    cycles=st.lists(st.lists(texts, max_size=3).map(tuple), max_size=3).map(tuple),
)
diagnoses = st.builds(
    Diagnosis,
    finality=finalities,
    ends=texts,
    waits=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    kept=st.lists(texts, max_size=3).map(tuple),
    cause=texts,
    why=texts,
    node=texts,
)
counts = st.integers(0, 1000)
reaped = st.builds(Reaped, cancelled=counts, completed=counts, errors=counts, timed_out=counts, stuck=counts)


def through_json(data: Any) -> Any:
    """Return what arrives of builtins at the other end."""
    return json.loads(json.dumps(data))


def builtins_only(data: Any) -> bool:
    """Tell whether data consist of what xdist can send."""
    if isinstance(data, dict):
        return all(type(key) is str and builtins_only(value) for key, value in data.items())
    if isinstance(data, list):
        return all(map(builtins_only, data))
    return data is None or type(data) in (str, int, float, bool)


@given(graphs)
def test_graphs_come_back(graph: Graph) -> None:
    data = graph.to_json()
    assert builtins_only(data)
    assert Graph.from_json(through_json(data)) == graph
    assert pickle.loads(pickle.dumps(graph)) == graph  # noqa: S301 -- our own


@given(diagnoses)
def test_diagnoses_come_back(diagnosis: Diagnosis) -> None:
    data = diagnosis.to_json()
    assert builtins_only(data)
    assert set(data) == {field.name for field in fields(Diagnosis)}
    assert Diagnosis.from_json(through_json(data)) == diagnosis


@given(diagnoses)
def test_findings_take_them_along(diagnosis: Diagnosis) -> None:
    found = Finding(
        kind="task",
        resource=Resource(code="TL101", name="t"),
        owner=Owner(kind="test", name="test_a"),
        birth=Birth(),
        diagnosis=diagnosis,
    )
    assert Finding.from_json(through_json(found.to_json())) == found
    plain = replace(found, diagnosis=None)
    assert Finding.from_json(through_json(plain.to_json())) == plain
    assert found.fingerprint == plain.fingerprint  # what is known of a leak does not make it another one


@given(graphs, graphs, reaped, reaped)
def test_verdicts_take_them_along(one: Graph, two: Graph, first: Reaped, second: Reaped) -> None:
    verdict = Verdict(notes=("a",), graphs=(one,), reaped=first)
    verdict += Verdict(notes=("b",), graphs=(two,), reaped=second)
    assert verdict.graphs == (one, two)
    assert verdict.reaped == first + second
    data = through_json(verdict.to_json())
    assert [Graph.from_json(graph) for graph in data["graphs"]] == [one, two]
    assert Reaped(**data["reaped"]) == first + second


@given(reaped, reaped, reaped)
def test_counts_add_up(one: Reaped, two: Reaped, three: Reaped) -> None:
    assert one + NONE_REAPED == one
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert (one + two).total == one.total + two.total
    assert bool(one) is (one.total > 0)


def test_a_task_that_timed_out_counts_where_it_ended() -> None:
    found = Reaped(cancelled=2, errors=1, timed_out=2)
    assert found.total == 3
    assert str(found) == "2 cancelled, 1 errors, 2 timed out"
    assert str(NONE_REAPED) == "none"
    assert not NONE_REAPED


def test_nodes_by_key() -> None:
    graph = Graph(nodes=(Node(key="t1", kind="task", label="task 'a'"),))
    assert graph.node("t1").label == "task 'a'"
    with pytest.raises(KeyError, match="t2"):
        graph.node("t2")
    assert graph
    assert not Graph()


def test_values_are_frozen() -> None:
    for value in (
        Node(key="", kind="", label=""),
        Edge(source="", target="", label=""),
        Graph(),
        Diagnosis(),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, "other")
    assert Diagnosis().finality == "unknown"
    assert set(PROVEN) < set(FINALITIES)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("PriceFeed", "price_feed"),
        ("HTTPClient", "http_client"),
        ("Poller", "poller"),
        ("_Poller", "poller"),
        ("V2Client", "v2_client"),
        ("poller", "poller"),
        ("A", "a"),
        ("_", "it"),
        ("", "it"),
    ],
)
def test_names_of_instances(name: str, found: str) -> None:
    assert variable(name) == found
