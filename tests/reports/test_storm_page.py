"""The page on shutdown storms: whole by itself, well-formed, and safe whatever the code under test says."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from pytest_taskleak.report import storm_page
from pytest_taskleak.report.storm_page import page
from pytest_taskleak.storm.results import AxisResult, Cause, Drain, Event, Lane, StormReport, Story
from pytest_taskleak.storm.telling import document

VOID = frozenset({"meta", "br"})
MOMENT = "stop@worker@Service.work.<locals>.loop+2~1"
SVG = "{http://www.w3.org/2000/svg}"


class Reader(HTMLParser):
    """Reads a page, and complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """What a person reads."""
        return " ".join(" ".join(self.words).split())


def cause(**changes: Any) -> Cause:
    found = Cause(
        oracle="L",
        name="accepted work lost",
        text="item 3 was accepted and is lost",
        where="ledger",
        scale="violation",
        count=5,
        axis="stop",
        point=4,
        token=MOMENT,
        seed=0,
    )
    return replace(found, **changes)


def story(name: str = "worker") -> Story:
    """Return a run in which a task of this name is left."""
    storm = [Event(0.25, 4, "S", "stop(), before point 4"), Event(2.75, 9, "!", "L item 3")]
    lanes = [
        Lane(name="storm", born="", events=storm),
        Lane(name="root", born="", events=[Event(0.0, 0, "o", "born"), Event(2.75, 8, "x", "completed")]),
        Lane(
            name=name,
            born="app.py:3 in start",
            events=[
                Event(0.0, 0, "o", "born"),
                Event(0.25, 5, "c", "CancelledError"),
                Event(2.75, 9, "!", name),
            ],
        ),
    ]
    drains = [
        Drain(name="root", seconds=2.5, outcome="completed"),
        Drain(name=name, seconds=None, outcome="left"),
    ]
    return Story(
        token=MOMENT, lanes=lanes, drains=drains, texts=[f"T task left: {name}"], log=[f"2.750 {name}"]
    )


def failing(**changes: Any) -> StormReport:
    """Return a sweep that has found something."""
    marks = dict.fromkeys(range(150), ".") | dict.fromkeys(range(4, 9), "L")
    axes = [
        AxisResult(axis="stop", planned=150, ran=150, failing=5, marks=marks, worst_drain=2.5),
        AxisResult(axis="pair", planned=400),
    ]
    values: dict[str, Any] = {
        "name": "Service",
        "points": 150,
        "runs": 152,
        "seconds": 0.25,
        "deterministic": True,
        "axes": axes,
        "causes": [cause()],
        "story": story(),
    }
    return StormReport(**values | changes)


def clean(**changes: Any) -> StormReport:
    return failing(
        axes=[AxisResult(axis="stop", planned=9, ran=9, marks=dict.fromkeys(range(9), "."))],
        causes=[],
        story=None,
        **changes,
    )


def drawing(text: str) -> ET.Element:
    """Return the timeline of a page."""
    found = re.search(r"<svg role=.*?</svg>", text, re.DOTALL)
    assert found is not None
    return ET.fromstring(found[0])  # noqa: S314 -- our own


def test_a_page_tells_all_of_a_failing_storm() -> None:
    told = Reader(page(document(failing(), nodeid="t.py::test_stop"))).text
    for part in (
        "Shutdown storm: Service failing",
        "t.py::test_stop",
        "150 of 550 moments swept",
        "152 in 0.25 s runs",
        "yes deterministic",
        "2.500 s worst drain (virtual)",
        "stop 150 of 150 5 2.500 s",
        "pair 0 of 400 not begun -",
        "FAIL: L accepted work lost",
        "5 runs, first stop@4",
        "item 3 was accepted and is lost",
        f'pytest t.py::test_stop "--taskleak-replay={MOMENT}"',
        "First failure: " + MOMENT,
        "T task left: worker",
        "root 2.500 s completed",
        "worker - left",
        "(deadline 10 s, grace 0 s)",
        "2.750 worker",
    ):
        assert part in told, part


def test_a_clean_storm_has_no_causes_and_no_run() -> None:
    told = Reader(page(document(clean()))).text
    assert "Shutdown storm: Service all well" in told
    assert "None: nothing was found." in told
    assert "First failure" not in told


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        (
            {"deterministic": False, "divergence": "at point 3: a in one run"},
            "differ, at point 3: a in one run;",
        ),
        (
            {"complete": False, "axes": [AxisResult(axis="stop", planned=9, ran=2)]},
            "swept 2 of 9 points (spread)",
        ),
    ],
)
def test_a_doubtful_storm_is_not_called_well(changes: dict[str, Any], note: str) -> None:
    told = Reader(page(document(replace(clean(), **changes)))).text
    assert "Shutdown storm: Service well as far as it goes" in told
    assert note in told


def test_a_moment_that_was_run_alone_is_not_called_a_failure() -> None:
    told = Reader(page(document(replace(clean(), replay=MOMENT, story=story())))).text
    assert f"The moment: {MOMENT}" in told
    assert "First failure" not in told


def test_the_strip_has_each_point_and_folds() -> None:
    text = page(document(failing()))
    strip = re.search(r'<div class="strip">(.*?)</div>', text, re.DOTALL)
    assert strip is not None
    lines = re.sub("<.*?>", "", strip[1]).split("\n")
    assert lines == ["  0  ....LLLLL" + "." * 91, "100  " + "." * 50]
    assert 'title="stop@4 to 8: accepted work lost"' in text


def test_the_timeline_is_well_formed_and_has_a_lane_for_each_task() -> None:
    svg = drawing(page(document(failing())))
    names = [each.text for each in svg.iter(f"{SVG}text") if each.text and each.get("text-anchor") is None]
    assert [name for name in names if name.isalpha()] == ["storm", "root", "worker"]
    marks = ["".join(each.itertext()) for each in svg.iter(f"{SVG}text") if each.get("class") == "m"]
    assert marks == ["S", "!", "x", "c", "!"]
    stamps = [each.text for each in svg.iter(f"{SVG}text") if each.get("class") == "soft"]
    assert stamps == ["+0", "+2.5"]
    said = {each.text for each in svg.iter(f"{SVG}title")}
    assert {"stop(), before point 4", "CancelledError", "worker, born app.py:3 in start"} <= said
    width = float(svg.get("width", "0"))
    assert all(0 <= float(each.get("x", "0")) <= width for each in svg.iter(f"{SVG}text"))


def test_the_page_needs_nothing_else() -> None:
    text = page(document(failing()))
    reader = Reader(text)
    assert not [tag for tag, _ in reader.tags if tag in ("link", "img", "iframe", "object", "base")]
    assert not [attributes for _, attributes in reader.tags if {"src", "href"} & set(attributes)]
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in text
    assert "@import" not in text
    policy = next(a["content"] for tag, a in reader.tags if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none';")


def test_dark_and_light_have_the_same_colours_to_choose() -> None:
    css = storm_page.asset("storm.css")
    light, dark = (
        set(re.findall(r"(--\w+):", block)) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    )
    assert "prefers-color-scheme: dark" in css
    assert light == dark
    assert set(re.findall(r"var\((--\w+)\)", css)) <= light


EVIL = "</script><script>alert(1)</script>\"'><b>&amp;\x00\x1b\ud800\ufffe\u202e"


def test_no_text_of_the_user_becomes_markup() -> None:
    evil = failing(
        name=EVIL,
        deterministic=False,
        divergence=EVIL,
        causes=[cause(text=EVIL, token=EVIL, name=EVIL, oracle="L")],
        story=story(EVIL),
    )
    text = page(document(evil, nodeid=EVIL))
    text.encode("utf-8")
    plain = page(document(failing(deterministic=False, divergence="x"), nodeid="y"))
    assert [tag for tag, _ in Reader(text).tags] == [tag for tag, _ in Reader(plain).tags]
    assert drawing(text) is not None
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_a_report_is_taken_as_well_as_its_document() -> None:
    assert page(failing()) == page(document(failing()))


def test_one_page_may_tell_of_several_storms_or_none() -> None:
    text = page(document(failing()), document(clean(), nodeid="t.py::two"), nodeid="t.py::one")
    reader = Reader(text)
    assert [tag for tag, _ in reader.tags].count("section") == 2
    assert reader.text.index("t.py::one") < reader.text.index("t.py::two")
    assert "No storm was made." in Reader(page()).text


def test_a_run_in_which_nothing_happened_is_drawn() -> None:
    bare = failing(story=Story(token=MOMENT, lanes=[Lane(name="storm", born=""), Lane(name="root", born="")]))
    assert drawing(page(document(bare))) is not None
