"""Does the conformance kit catch what it is there for, and nothing else?"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_taskleak.conformance.rules import RULES
from pytest_taskleak.detectors import built_in
from pytest_taskleak.detectors.base import Detector, Patch, Recorder
from pytest_taskleak.engine import owner
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.losses import LOSSES, Recording
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy
from pytest_taskleak.model import Code, Resource
from pytest_taskleak.testing import ConformanceError, check_detector

ROOT = Path(__file__).resolve().parent.parent.parent


class Plug:
    """What the toy kinds watch."""

    def __init__(self, name: str = "plug") -> None:
        self.name = name
        self.inside = True

    def pull(self) -> None:
        self.inside = False


PAGE = Code(title="left in", meaning="It is in.", cause="Haste.", cure="Pull it.")


class Plugs(Detector):
    """A kind that keeps every rule."""

    kind = "plug"
    codes: ClassVar = {"PLUG1": PAGE}

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=False)

        def wrap(original: Callable[..., None]) -> Callable[..., None]:
            def __init__(plug: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- replaces it
                original(plug, *args, **options)
                self.born(record, plug)

            return __init__

        yield Patch(lambda: [Plug], "__init__", wrap, "plugs")

    def born(self, record: Any, plug: Any) -> None:
        record(plug, sys._getframe(2))

    def alive(self, thing: Any) -> bool:
        return bool(thing.inside)

    def describe(self, thing: Any) -> Resource:
        return Resource(code="PLUG1", name=thing.name, what="Plug", module="plugs", state="is still in")

    def remove(self, thing: Any) -> bool:
        thing.pull()
        return False

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        plug = Plug()
        yield plug
        plug.pull()


def broken_rules(detector: Detector, **options: Any) -> list[str]:
    with pytest.raises(ConformanceError) as caught:
        check_detector(detector, **options)
    return list(dict.fromkeys(failure.rule for failure in caught.value.failures))


def test_a_good_detector_passes() -> None:
    check_detector(Plugs())


# --- one broken detector for each rule ------------------------------------------------------------


class SeesNothing(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        pass


class SeesHelpersToo(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        self.shadow = Plug.__new__(Plug)
        self.shadow.name, self.shadow.inside = "shadow", True
        for thing in (plug, self.shadow):
            record(thing, sys._getframe(2))


class SeesAnother(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        plug.other = Plug.__new__(Plug)
        plug.other.name, plug.other.inside = "other", True
        record(plug.other, sys._getframe(2))


class SeesTwice(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        record(plug, sys._getframe(2))
        record(plug, sys._getframe(2))


class RaisesWhenLookedAt(Plugs):
    def alive(self, thing: Any) -> bool:
        raise RuntimeError("no look")


class RaisesAtBirth(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        raise RuntimeError("no birth")


class UnknownCode(Plugs):
    def describe(self, thing: Any) -> Resource:
        return Resource(code="PLUG2", name=thing.name, what="Plug", state="is still in")


class NoState(Plugs):
    def describe(self, thing: Any) -> Resource:
        return Resource(code="PLUG1", name=thing.name, what="Plug")


class LongLabel(Plugs):
    def describe(self, thing: Any) -> Resource:
        rows = (("the voltage", "230"),)
        return Resource(code="PLUG1", name=thing.name, what="Plug", state="is still in", details=rows)


class WithAddress(Plugs):
    def describe(self, thing: Any) -> Resource:
        return Resource(code="PLUG1", name=object.__repr__(thing), what="Plug", state="is still in")


class Numbered(Plugs):
    count = 0

    def describe(self, thing: Any) -> Resource:
        self.count += 1
        return Resource(code="PLUG1", name=thing.name, what=f"Plug {self.count}", state="is still in")


class SaysNoText(Plugs):
    def describe(self, thing: Any) -> Any:
        return "a plug"


class NoAdvice(Plugs):
    def advice(self, resource: Resource) -> str:
        return ""


class EndsWithoutCode(Plugs):
    def ended(self, resource: Resource, ending: Any) -> Any:
        return None


class KeeperWithoutThing(Plugs):
    def keeper(self, thing: Any) -> Iterable[Any]:
        return ()


class Impatient(Plugs):
    def patience(self, thing: Any) -> float:
        return -1.0


class BornInItself(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        record(plug, sys._getframe(0))


class BornTooFarOut(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        record(plug, sys._getframe(4))


class BornNowhere(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        record(plug, None)


class NeverEnds(Plugs):
    def alive(self, thing: Any) -> bool:
        return True


class StumblesOverTheGone(Plugs):
    def describe(self, thing: Any) -> Resource:
        if not thing.inside:
            raise LookupError("gone")
        return super().describe(thing)


class Keeps(Plugs):
    def __init__(self) -> None:
        self.known: list[Any] = []

    def alive(self, thing: Any) -> bool:
        self.known.append(thing)
        return super().alive(thing)


class PatchesByHand(Plugs):
    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        original = Plug.pull

        def pull(plug: Any) -> None:
            original(plug)

        Plug.pull = pull  # type: ignore[assignment,method-assign]
        yield from super().patches(recorder)


class WorksUnwatched(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        self.describe(plug)
        record(plug, sys._getframe(2))


class NeedsAWatch(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        assert owner.watches[-1]
        record(plug, sys._getframe(2))


class LooksAtNight(Plugs):
    def __init__(self) -> None:
        gc.callbacks.append(self.look)

    def look(self, phase: str, _: Any) -> None:
        self.alive(Plug.__new__(Plug))

    def alive(self, thing: Any) -> bool:
        return bool(vars(thing).get("inside"))


class RecordsAnything(Plugs):
    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record, plug = recorder(self.kind, mark=False), Plug()
        plug.pull()
        self.look = lambda phase, _: record(plug, sys._getframe(0))
        gc.callbacks.append(self.look)
        yield from super().patches(recorder)


class RemovesInVain(Plugs):
    def remove(self, thing: Any) -> bool:
        return True


class InsistsInVain(Plugs):
    def remove(self, thing: Any) -> bool:
        return False

    def insist(self, thing: Any) -> bool:
        return True


class RaisesOnRemoval(Plugs):
    def remove(self, thing: Any) -> bool:
        if thing.inside:
            raise RuntimeError("stuck")
        return False


class Replaces(Plugs):
    def remove(self, thing: Any) -> bool:
        thing.pull()
        thing.next = Plug("again")
        return False


class TellsAgain(Plugs):
    def __init__(self) -> None:
        self.known: weakref.WeakSet[Any] = weakref.WeakSet()
        self.record: Any = None

    def born(self, record: Any, plug: Any) -> None:
        self.record = record
        self.known.add(plug)
        record(plug, sys._getframe(2))

    def opened(self) -> None:
        for plug in self.known:
            self.record(plug, sys._getframe(0))


class MainThreadOnly(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            record(plug, sys._getframe(2))


class RaisesInThreads(Plugs):
    def born(self, record: Any, plug: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("not here")
        record(plug, sys._getframe(2))


class CapitalKind(Plugs):
    kind = "Plug"


class TwoWords(Plugs):
    kind = "wall plug"


class TakenKind(Plugs):
    kind = "thread"


class OtherWordForKind(Plugs):
    kind = "handle"


class TakenCode(Plugs):
    codes: ClassVar = {"PLUG1": PAGE, "TL101": PAGE}


class OddCode(Plugs):
    codes: ClassVar = {"PLUG1": PAGE, "plug": PAGE}


class EmptyPage(Plugs):
    codes: ClassVar = {"PLUG1": Code(title="left in", meaning="It is in.", cause=" ", cure="Pull it.")}


class NoPage(Plugs):
    codes: ClassVar[Any] = {"PLUG1": "a page"}


class OddLevel(Plugs):
    codes: ClassVar = {
        "PLUG1": Code(title="left in", meaning="In.", cause="Haste.", cure="Pull.", level="loud"),  # type: ignore[arg-type]
    }


class OddRank(Plugs):
    rank: ClassVar[Any] = "first"


class OddPlural(Plugs):
    plural: ClassVar[Any] = None


class OddDefault(Plugs):
    default: ClassVar[Any] = "yes"


class OddTied(Plugs):
    tied: ClassVar[Any] = ("stop",)


BROKEN: dict[str, tuple[type[Plugs], ...]] = {
    "D1": (SeesNothing, SeesHelpersToo, SeesAnother, SeesTwice, RaisesWhenLookedAt, RaisesAtBirth),
    "D2": (
        UnknownCode, NoState, LongLabel, WithAddress, Numbered, SaysNoText, NoAdvice, EndsWithoutCode,
        KeeperWithoutThing, Impatient,
    ),
    "D3": (BornInItself, BornTooFarOut, BornNowhere),
    "D4": (NeverEnds,),
    "D5": (StumblesOverTheGone,),
    "D6": (Keeps,),
    "D7": (PatchesByHand,),
    "D8": (WorksUnwatched, NeedsAWatch),
    "D9": (LooksAtNight, RecordsAnything),
    "D10": (RemovesInVain, InsistsInVain, RaisesOnRemoval, Replaces),
    "D11": (TellsAgain,),
    "D12": (MainThreadOnly, RaisesInThreads),
    "D13": (
        CapitalKind, TwoWords, TakenKind, OtherWordForKind, TakenCode, OddCode, EmptyPage, NoPage, OddLevel,
        OddRank, OddPlural, OddDefault, OddTied,
    ),
}  # fmt: skip


@pytest.fixture
def whole_again() -> Iterator[None]:
    """Put back what a broken detector leaves behind."""
    pull, init, callbacks = Plug.pull, Plug.__init__, gc.callbacks[:]
    yield
    gc.callbacks[:] = callbacks
    Plug.pull = pull  # type: ignore[method-assign]
    assert Plug.__init__ is init


def test_every_rule_has_a_detector_that_breaks_it() -> None:
    assert [rule.code for rule in RULES] == list(BROKEN)


def test_every_rule_has_its_place_on_the_page() -> None:
    page = (ROOT / "docs" / "reference" / "testing.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"({rule.code.lower()})=\n\n### {rule.code}: {rule.title}\n" in page


@pytest.mark.usefixtures("whole_again")
@pytest.mark.parametrize(
    ("rule", "broken"),
    [(rule, broken) for rule, some in BROKEN.items() for broken in some],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_broken_detector_breaks_this_rule_alone(rule: str, broken: type[Plugs]) -> None:
    assert broken_rules(broken()) == [rule]


@pytest.mark.usefixtures("whole_again")
def test_all_broken_rules_are_told_with_what_to_change() -> None:
    class Sloppy(NoAdvice, OddRank, NeverEnds):
        pass

    with pytest.raises(AssertionError) as caught:
        check_detector(Sloppy())
    text = str(caught.value)
    assert "the detector of kind 'plug' breaks 3 rules:" in text
    assert (
        "D2  says what it is\n    advice() of describe() is ''; it must be one line that tells the cure"
        in text
    )
    assert "D4  ignores the innocent twin\n    a plug that was ended properly is told as PLUG1" in text
    assert "rank is 'first'; it must be a number" in text
    assert "/reference/testing.html#d13" in text


# --- leaks and twins of one's own -----------------------------------------------------------------


@contextlib.contextmanager
def plugged() -> Iterator[Plug]:
    plug = Plug("wall")
    yield plug
    plug.pull()


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
    Plug("forgotten")
    yield None


class NoPlant(Plugs):
    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        yield None


def test_leak_may_be_handed_in() -> None:
    check_detector(NoPlant(), leak=plugged)


class Card:
    """Stands for a plug."""

    def __init__(self, plug: Plug) -> None:
        self.plug = plug
        plug.card = self  # type: ignore[attr-defined]


class Cards(Plugs):
    """Records what stands for the thing."""

    def born(self, record: Any, plug: Any) -> None:
        record(Card(plug), sys._getframe(2))

    def alive(self, thing: Any) -> bool:
        return super().alive(thing.plug)

    def keeper(self, thing: Any) -> Iterable[Any]:
        return (thing.plug, thing)

    def describe(self, thing: Any) -> Resource:
        return super().describe(thing.plug)

    def remove(self, thing: Any) -> bool:
        return super().remove(thing.plug)


class StrangeCards(Cards):
    def keeper(self, thing: Any) -> Iterable[Any]:
        return (thing,)


def test_something_may_stand_for_the_thing() -> None:
    check_detector(Cards())
    assert broken_rules(StrangeCards()) == ["D1"]


class Shy(Plugs):
    """Has a canary only where it is watched, and only in the main thread."""

    seen: ClassVar[list[weakref.ref[Any]]] = []

    def born(self, record: Any, plug: Any) -> None:
        self.seen.append(weakref.ref(plug))
        record(plug, sys._getframe(2))

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        if threading.current_thread() is not threading.main_thread():
            yield None
            return
        self.seen.clear()
        plug = Plug()
        yield plug if self.seen else self
        plug.pull()


def test_canary_may_need_the_watch() -> None:
    check_detector(Shy())


def test_innocent_twin_may_be_handed_in() -> None:
    kept = []

    @contextlib.contextmanager
    def hardly_innocent() -> Iterator[Plug]:
        kept.append(Plug("kept"))
        yield kept[-1]

    assert broken_rules(Plugs(), innocent=hardly_innocent) == ["D4"]


def test_leak_that_cannot_bear_its_removal() -> None:
    @contextlib.contextmanager
    def proud() -> Iterator[Plug]:
        plug = Plug("proud")
        yield plug
        if not plug.inside:
            raise LookupError("who pulled it?")
        plug.pull()

    with pytest.raises(ConformanceError, match=r"leaving `leak` .* raises LookupError") as caught:
        check_detector(Plugs(), leak=proud)
    assert [failure.rule for failure in caught.value.failures] == ["D10"]


def test_leak_that_keeps_its_thing_proves_nothing() -> None:
    kept = []

    @contextlib.contextmanager
    def keeping() -> Iterator[Plug]:
        kept.append(Plug("kept"))
        yield kept[-1]
        kept[-1].pull()

    with pytest.raises(ConformanceError, match="let `leak` drop what it made"):
        check_detector(Plugs(), leak=keeping)


class Reports(Detector):
    """A kind that is told of by an event: a plug that was pulled by nobody."""

    kind = "report"
    codes: ClassVar = {"REP1": PAGE}

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        lose = recorder.losses(self.kind)

        def wrap(original: Callable[..., None]) -> Callable[..., None]:
            def pull(plug: Any) -> None:
                original(plug)
                if plug.name == "wild":
                    self.tell(lose)

            return pull

        yield Patch(lambda: [Plug], "pull", wrap, "reports")

    def tell(self, lose: Any) -> None:
        told = Resource(code="REP1", name="wild", what="Plug", state="was pulled wildly", outlives=False)
        lose(told, frame=sys._getframe(2))

    def alive(self, thing: Any) -> bool:
        return False

    def describe(self, thing: Any) -> Resource:
        raise AssertionError("there is nothing to look at")


class SilentReports(Reports):
    def tell(self, lose: Any) -> None:
        pass


class StatelessReports(Reports):
    def tell(self, lose: Any) -> None:
        lose(Resource(code="REP1", name="wild", what="Plug"), frame=sys._getframe(2))


class InwardReports(Reports):
    def tell(self, lose: Any) -> None:
        told = Resource(code="REP1", name="wild", what="Plug", state="was pulled wildly", outlives=False)
        lose(told, frame=sys._getframe(0))


@contextlib.contextmanager
def wild() -> Iterator[None]:
    Plug("wild").pull()
    yield None


@contextlib.contextmanager
def tame() -> Iterator[None]:
    Plug("tame").pull()
    yield None


def test_kind_that_loses_things_by_events() -> None:
    check_detector(Reports(), leak=wild, innocent=tame)
    assert broken_rules(SilentReports(), leak=wild, innocent=tame) == ["D1"]
    assert broken_rules(StatelessReports(), leak=wild, innocent=tame) == ["D2"]
    assert broken_rules(InwardReports(), leak=wild, innocent=tame) == ["D3"]
    assert broken_rules(Reports(), leak=wild, innocent=wild) == ["D4"]


class Census(Detector):
    """A kind that is measured: how many plugs are in a row."""

    kind = "census"
    codes: ClassVar = {"CEN1": PAGE}
    measured = True
    row: ClassVar[list[Plug]] = []

    def snapshot(self) -> Any:
        return len(self.row)

    def grown(self, before: Any, now: Any) -> Iterable[Resource]:
        if now > before:
            yield Resource(code="CEN1", name="row", what="Plug", state="has grown")

    def alive(self, thing: Any) -> bool:
        return False

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        self.row.append(Plug("row"))
        yield self.row[-1]
        self.row.pop()


class BlindCensus(Census):
    def snapshot(self) -> Any:
        return 0


def test_kind_that_is_measured() -> None:
    check_detector(Census())
    assert broken_rules(BlindCensus()) == ["D1"]


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"detector": Plugs}, TypeError, ["detectors.base.Detector", "make an instance"]),
        ({"detector": object()}, TypeError, ["detector must be", "<object object"]),
        ({"leak": plugged()}, TypeError, ["leak must be a callable", "_GeneratorContextManager"]),
        ({"innocent": 3}, TypeError, ["innocent must be a callable", "3"]),
        ({"leak": lambda: 7}, TypeError, ["leak must return a context manager", "7"]),
        ({"detector": NoPlant()}, ValueError, ["plant() of 'plug' yields None", "leak=..."]),
        ({"leak": forgotten}, ValueError, ["innocent is needed where leak yields None"]),
    ],
)
def test_bad_arguments(options: dict[str, Any], error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        check_detector(**{"detector": Plugs(), **options})
    assert not isinstance(caught.value, ConformanceError)
    assert [word for word in words if word not in str(caught.value)] == []


def test_detector_without_a_kind() -> None:
    class Nameless(Plugs):
        kind = ""

    with pytest.raises(ValueError, match="kind must be a word - got ''"):
        check_detector(Nameless())


def test_running_loop_is_refused() -> None:
    async def check() -> None:
        check_detector(Plugs())

    with pytest.raises(RuntimeError, match="a loop is running"):
        asyncio.run(check())


def test_error_of_the_leak_itself_is_its_own() -> None:
    @contextlib.contextmanager
    def impossible() -> Iterator[Plug]:
        yield Plug(str(1 // 0))

    with pytest.raises(ZeroDivisionError):
        check_detector(Plugs(), leak=impossible)


# --- beside another watch -------------------------------------------------------------------------


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Another watch, over the same kind and the built-in ones."""
    made = Watch([*built_in(), Plugs()], Policy(detect=frozenset({"plug", "report"})), name="other")
    begin(made)
    yield made
    made.stop()


def test_other_watch_goes_on_as_before(watch: Watch) -> None:
    scope = Scope("block", "other", parent=watch.session, watch=watch)
    watch.enter(scope)
    before = [Plug.__init__, threading.Thread.start, [*sys.meta_path], [*gc.callbacks]]
    watching = owner.watches[:]
    check_detector(Plugs())
    assert [Plug.__init__, threading.Thread.start, [*sys.meta_path], [*gc.callbacks]] == before
    assert owner.watches == watching
    assert scope.births == {}
    with plugged() as plug:
        assert [item.thing for item in watch.live(scope, watch.policy)] == [plug]


def test_losses_of_others_are_not_forgotten(watch: Watch) -> None:
    lose = Recording().losses("plug")
    lose(Resource(code="PLUG1", name="lost", state="was lost"), frame=sys._getframe())
    check_detector(Plugs())
    assert [resource.name for _, resource, *_ in LOSSES.queue] == ["lost"]


def test_outside_of_pytest() -> None:
    code = (
        "import sys; from pytest_taskleak.detectors import built_in; "
        "from pytest_taskleak.testing import check_detector; "
        "check_detector(built_in()[[d.kind for d in built_in()].index('timer')])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
