"""Who is charged with a loss, and what is told of it without asking code of the user?"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import copy_context
from types import CodeType
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_taskleak.adapt import dropping, exceptions
from pytest_taskleak.adapt.code import line_of
from pytest_taskleak.detectors import built_in
from pytest_taskleak.engine import losses, owner
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.losses import LOSSES, Recording, called, charge
from pytest_taskleak.engine.owner import OWNER, Scope
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy
from pytest_taskleak.model import BIRTH, Resource

TOLD = Resource(code="TL711", name="work", what="work")


class Carrier:
    """Anything that can carry the record of its birth."""


class Desk:
    """A watch with two tests, of which the second one runs."""

    def __init__(self) -> None:
        kinds = frozenset(d.kind for d in built_in())
        self.watch = Watch(built_in(), Policy(detect=kinds, grace=0.0), name="desk")
        self.first = self.test("first")
        self.second = self.test("second")
        self.lose = Recording().losses("coroutine")

    def test(self, name: str) -> Scope:
        """Return the scope of a test."""
        return Scope("test", name, parent=self.watch.session, watch=self.watch)

    def charged(self) -> list[str]:
        """Charge what was lost, and name who is charged."""
        self.watch.unowned += charge(LOSSES, self.watch)
        scopes = (self.first, self.second)
        found = [scope.name for scope in scopes for _ in scope.findings]
        found += ["nobody" for _ in self.watch.unowned]
        for scope in scopes:
            scope.findings.clear()
        self.watch.unowned.clear()
        return found


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    begin(made.watch)
    LOSSES.queue.clear()
    made.watch.enter(made.second)
    yield made
    LOSSES.queue.clear()
    made.watch.stop()


# --- the queue --------------------------------------------------------------------------------------


def test_the_record_of_the_thing_comes_first(desk: Desk) -> None:
    thing = Carrier()
    setattr(thing, BIRTH, (desk.first, (), (), False))
    desk.lose(TOLD, thing=thing, frame=sys._getframe())
    assert desk.charged() == ["first"]


def test_then_the_context(desk: Desk) -> None:
    context = copy_context()
    context.run(OWNER.set, desk.first)
    desk.lose(TOLD, context=context, frame=sys._getframe())
    assert desk.charged() == ["first"]


def test_then_the_running_code(desk: Desk) -> None:
    desk.lose(TOLD, frame=sys._getframe())
    assert desk.charged() == ["second"]


def test_then_the_loop_of_a_future(desk: Desk) -> None:
    loop = asyncio.new_event_loop()
    setattr(loop, BIRTH, (desk.first, (), (), False))
    LOSSES.collecting = threading.get_ident()
    try:
        desk.lose(TOLD, future=loop.create_future())
    finally:
        LOSSES.collecting = None
    loop.close()
    assert desk.charged() == ["first"]


def test_nothing_is_written_while_nobody_watches() -> None:
    lose = Recording().losses("coroutine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, "watches", [])
        before = len(LOSSES.queue)
        lose(TOLD, frame=sys._getframe())
        assert len(LOSSES.queue) == before


@pytest.mark.parametrize("thing", [Mock(), object(), 1, type, None])
def test_odd_things_carry_nothing(desk: Desk, thing: object) -> None:
    assert losses.stamp(thing) is None
    desk.lose(TOLD, thing=thing, frame=sys._getframe())
    assert desk.charged() == ["second"]


def test_closed_owner_is_told_late(desk: Desk) -> None:
    thing = Carrier()
    setattr(thing, BIRTH, (desk.first, (), (), False))
    desk.watch.finish(desk.first)
    desk.lose(TOLD, thing=thing)
    assert desk.charged() == ["first"]
    assert desk.watch.late == [desk.first]


def test_kind_that_is_not_watched(desk: Desk) -> None:
    desk.second.policy = Policy(detect=frozenset({"task"}))
    desk.lose(TOLD, frame=sys._getframe())
    assert desk.charged() == []
    assert not LOSSES.queue


def test_fault_while_charging_is_ours(desk: Desk) -> None:
    LOSSES.queue.append(("coroutine", TOLD, (Carrier(), (), (), False), None, ""))
    desk.lose(TOLD, frame=sys._getframe())
    assert desk.charged() == ["second"]
    assert "TL901 a loss could not be told" in desk.watch.faults.pop()


def test_loss_of_an_outer_watch_is_left_to_it(desk: Desk) -> None:
    LOSSES.queue.append(("coroutine", TOLD, (desk.watch.session, (), (), False), None, ""))
    desk.lose(TOLD, frame=sys._getframe())
    inner = Watch(built_in(), desk.watch.policy, name="inner")
    assert charge(LOSSES, inner) == []
    assert len(desk.watch.unowned) == 1
    assert desk.charged() == ["second", "nobody"]


# --- the collector ----------------------------------------------------------------------------------


def finalized(desk: Desk, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Lose something inside the collector."""

    class Circle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            meanwhile()
            desk.lose(TOLD, frame=sys._getframe())

    Circle()
    gc.collect()


def test_collector_charges_nobody_that_runs(desk: Desk) -> None:
    finalized(desk)
    assert desk.charged() == ["nobody"]


def test_collector_of_another_thread_changes_nothing(desk: Desk) -> None:
    LOSSES.collecting = -1
    try:
        desk.lose(TOLD, frame=sys._getframe())
    finally:
        LOSSES.collecting = None
    assert desk.charged() == ["second"]


def test_thread_that_runs_while_another_collects(desk: Desk) -> None:
    def meanwhile() -> None:
        thread = threading.Thread(target=lambda: desk.lose(TOLD, frame=sys._getframe()))
        thread.start()
        thread.join()

    finalized(desk, meanwhile)
    assert sorted(desk.charged()) == ["nobody", "second"]


def test_collector_is_unhooked(desk: Desk) -> None:
    assert LOSSES.collector in gc.callbacks
    assert LOSSES.collecting is None


# --- where it was dropped ---------------------------------------------------------------------------

KEPT: list[Any] = []
BOUNDED: deque[Any] = deque(maxlen=1)
ONE: Any = None


class Dropped:
    """Tells which frame dropped it."""

    places: list[dropping.Place | None] = []  # noqa: RUF012 -- emptied by each use

    def __del__(self) -> None:
        frame = dropping.dropping(sys._getframe())
        self.places.append(None if frame is None else (frame.f_code, frame.f_lasti))


def dropped() -> Dropped:
    """Return something that can be dropped."""
    return Dropped()


def statement() -> None:
    """Drop what a call returns."""
    dropped()


def overwritten() -> None:
    """Drop what a local variable held."""
    job: Any = dropped()
    job = None
    del job


def deleted() -> None:
    """Delete a local variable."""
    job = dropped()
    del job


def helper_returned() -> None:
    """Drop the local variable of a helper."""

    def helper() -> None:
        job = dropped()
        assert job is not None

    helper()


def cleared() -> None:
    """Empty a list of the module."""
    KEPT.clear()


def popped() -> None:
    """Take one out of a list of the module."""
    KEPT.pop()


def removed() -> None:
    """Delete one from a list of the module."""
    del KEPT[0]


def replaced() -> None:
    """Replace one in a list of the module."""
    KEPT[0] = None


def pushed_out() -> None:
    """Push one out of a bounded deque."""
    BOUNDED.append(None)


def global_replaced() -> None:
    """Replace a global variable."""
    global ONE
    ONE = None


def attribute_replaced() -> None:
    """Replace an attribute."""
    Carrier.job = None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("function", "taken"),
    [
        (statement, False),
        (overwritten, False),
        (deleted, False),
        (helper_returned, False),
        (cleared, True),
        (popped, True),
        (removed, True),
        (replaced, True),
        (pushed_out, True),
        (global_replaced, True),
        (attribute_replaced, True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_taken_from_elsewhere(function: Callable[[], None], taken: bool) -> None:
    global ONE
    KEPT[:] = [dropped()] if taken else []
    if function is pushed_out:
        BOUNDED.append(dropped())
    ONE = dropped() if function is global_replaced else None
    Carrier.job = dropped() if function is attribute_replaced else None  # type: ignore[attr-defined]
    if function not in (cleared, popped, removed, replaced):
        KEPT.clear()
    Dropped.places.clear()
    function()
    (place,) = Dropped.places
    assert place is not None
    assert place[0] is function.__code__
    assert dropping.taken(place) is taken
    assert not dropping.harness(place)


def place_in(source: str, path: str) -> dropping.Place:
    """Return the place in a function of a file at which it drops something."""
    space: dict[str, Any] = {"job": dropped}
    exec(compile(source, path, "exec"), space)  # noqa: S102 -- to say which file it comes from
    Dropped.places.clear()
    space["pytest_pyfunc_call" if "pyfunc" in source else "anything"]()
    (place,) = Dropped.places
    assert place is not None
    return place


def test_harness_puts_away_what_others_made() -> None:
    path = pytest.__file__
    assert dropping.harness(place_in("def anything(): job()", path))
    assert not dropping.harness(place_in("def pytest_pyfunc_call(): job()", path))
    assert not dropping.harness(place_in("def anything(): job()", __file__))


def test_step_of_a_loop() -> None:
    steps: list[Any] = []
    context = copy_context()

    class Told:
        def __del__(self) -> None:
            steps.append(dropping.step_of(dropping.dropping(sys._getframe())))

    async def main() -> None:
        asyncio.get_running_loop().call_soon(Told, context=context)
        await asyncio.sleep(0)
        assert dropping.step_of(sys._getframe()) is None

    asyncio.run(main())
    assert steps == [context]


def test_taken_needs_its_maker_in_the_code(desk: Desk) -> None:
    place = (cleared.__code__, next(i for s, e, n in cleared.__code__.co_lines() if n for i in range(s, e)))
    code = test_taken_needs_its_maker_in_the_code.__code__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dropping, "taken", lambda _: True)
        assert not losses.made((desk.second, (), (), False), place, "work", cleared.__code__)
        assert not losses.made((desk.second, (), (), False), place, "", None)
        assert losses.made((desk.second, (), (), False), place, "made", code)
        assert losses.made((desk.second, (code, 0), (), True), place, "made", None)
        patch.setattr(dropping, "harness", lambda _: True)
        assert not losses.made((desk.second, (code, 0), (), True), place, "made", code)
    assert losses.made(None, None, "", None)


# --- the line it was made on ------------------------------------------------------------------------


async def work() -> None:
    """Do nothing."""


class Service:
    """Has a coroutine method."""

    async def notify(self) -> None:
        """Do nothing."""


def once(service: Service) -> None:
    """Name it once."""
    job = work()
    job.close()


def twice(service: Service) -> None:
    """Name it twice."""
    for job in (work(), work()):
        job.close()


def method(service: Service) -> None:
    """Name a method."""
    service.notify().close()


def argument(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Name an argument."""
    work().close()


def nested(service: Service) -> None:
    """Name it in a nested function only."""

    def inner() -> None:
        work().close()

    inner()


def closure(service: Service) -> Callable[[], None]:
    """Return a function that names a variable of this one."""
    job = work

    def inner() -> None:
        job().close()

    return inner


def stored(service: Service) -> None:
    """Store it under its own name."""
    work = service.notify()
    work.close()


@pytest.mark.parametrize(
    ("function", "name", "line"),
    [
        (once, "work", 2),
        (once, "notify", None),
        (once, "", None),
        (twice, "work", None),
        (method, "notify", 2),
        (argument, "work", 2),
        (nested, "work", None),
        (closure(Service()), "job", 1),
        (stored, "notify", 2),
    ],
)
def test_called(function: Callable[..., Any], name: str, line: int | None) -> None:
    code = function.__code__
    found = called(code, name)
    if line is None:
        assert found == ()
    else:
        assert found[0] is code
        assert line_of(code, found[1]) == code.co_firstlineno + line


def test_called_without_code() -> None:
    assert called(None, "work") == ()


def test_guess_is_the_birth(desk: Desk) -> None:
    codes: dict[str, CodeType] = {"first": once.__code__, "second": twice.__code__}
    desk.watch.code_of = lambda scope: codes.get(scope.name)
    for scope in (desk.first, desk.second):
        LOSSES.queue.append(("coroutine", TOLD, (scope, (), (), False), None, "work"))
    charge(LOSSES, desk.watch)
    (first,), (second,) = desk.first.findings, desk.second.findings
    assert [frame.qualname for frame in first.birth.frames] == ["once"]
    assert second.birth.frames == ()


# --- words ------------------------------------------------------------------------------------------


class OwnText(Exception):
    """Its message is code of the user."""

    def __str__(self) -> str:
        raise AssertionError


class OwnKeyError(KeyError):
    """Takes `__str__` from a built-in class."""


class OwnString(str):
    """A string that is not quite one."""

    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError

    __repr__ = __str__


class OwnObject:
    """Not to be asked."""

    def __repr__(self) -> str:
        raise AssertionError


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError("boom"), "ValueError: boom"),
        (ValueError(), "ValueError"),
        (ValueError("a", 1, None), "ValueError: ('a', 1, None)"),
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (KeyError("key"), "KeyError: 'key'"),
        (OwnKeyError("key"), "OwnKeyError: 'key'"),
        (OSError(2, "No such file"), "FileNotFoundError: [Errno 2] No such file"),
        (UnicodeDecodeError("utf8", b"\xff", 0, 1, "no"), None),
        (ExceptionGroup("several", [OwnText("x")]), "ExceptionGroup: several (of 1)"),
        (SyntaxError("bad", ("file.py", 3, 1, "x")), "SyntaxError"),
        (SyntaxError("bad"), "SyntaxError: bad"),
        (OwnText("x"), "OwnText"),
        (ValueError(OwnString("x")), "ValueError"),
        (ValueError(OwnObject()), "ValueError"),
        (ValueError("x", OwnObject()), "ValueError"),
        (ValueError(["x", OwnObject()]), "ValueError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_name_of(error: Exception, name: str | None) -> None:
    found = exceptions.name_of(error)
    assert found == (name if name is not None else f"{type(error).__name__}: {error}")


@given(st.text())
def test_names_are_short_and_on_one_line(text: str) -> None:
    found = exceptions.name_of(ValueError(text))
    assert len(found) <= exceptions.MOST_TEXT
    assert len(found.splitlines()) == 1


def test_args_that_were_replaced() -> None:
    error = OSError(2, "gone")
    error.filename = OwnObject()
    assert exceptions.name_of(error) == "FileNotFoundError"
    bad = SyntaxError("bad")
    bad.msg = OwnObject()  # type: ignore[assignment]
    assert exceptions.name_of(bad) == "SyntaxError"


def test_what_asks_nothing_of_the_future() -> None:
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    assert exceptions.unretrieved(future) is None
    future.set_exception(ValueError("boom"))
    assert isinstance(exceptions.unretrieved(future), ValueError)
    assert isinstance(exceptions.unretrieved(future), ValueError)
    assert isinstance(future.exception(), ValueError)
    assert exceptions.unretrieved(future) is None
    loop.close()


# --- filters ----------------------------------------------------------------------------------------

FILTERS: list[tuple[tuple[Any, ...], ...]] = [
    (),
    (("ignore",),),
    (("error",),),
    (("always",),),
    (("ignore", "", RuntimeWarning),),
    (("ignore", "", Warning),),
    (("ignore", "", DeprecationWarning),),
    (("ignore", "coroutine"),),
    (("ignore", "COROUTINE 'work'"),),
    (("ignore", "never awaited"),),
    (("ignore", ".*never awaited$"),),
    (("ignore", "", RuntimeWarning, "place"),),
    (("ignore", "", RuntimeWarning, "pl"),),
    (("ignore", "", RuntimeWarning, r"place\Z"),),
    (("ignore", "", RuntimeWarning, "", 7),),
    (("ignore", "", RuntimeWarning, "", 8),),
    (("error",), ("ignore", "coroutine")),
    (("ignore", "coroutine"), ("error",)),
    (("ignore",), ("default", "", RuntimeWarning, "place")),
    (("once", "", RuntimeWarning), ("ignore", "", RuntimeWarning, "other")),
]
TEXT = "coroutine 'work' was never awaited"


@pytest.mark.parametrize("chosen", FILTERS, ids=str)
@pytest.mark.parametrize("plain", [False, True])
def test_is_ignored_as_the_real_ones_do(chosen: tuple[tuple[Any, ...], ...], plain: bool) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        for given_ in chosen:
            warnings.filterwarnings(*given_)
        if plain:
            warnings.simplefilter("ignore", ResourceWarning)
        ours = exceptions.is_ignored(RuntimeWarning, TEXT, "place", 7)
        raised = False
        try:
            warnings.warn_explicit(TEXT, RuntimeWarning, "place.py", 7, module="place", registry={})
        except RuntimeWarning:
            raised = True
        really = not caught and not raised
    assert ours is really


def test_no_category_is_never_ignored() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not exceptions.is_ignored(None, TEXT)


def while_warning() -> tuple[int, int]:
    """Warn, and return who catches it."""
    warnings.warn("x", UserWarning, stacklevel=1)
    return exceptions.recorder()


def test_recorder_shows_who_catches() -> None:
    before = exceptions.recorder()
    assert exceptions.recorder() == before
    with warnings.catch_warnings(record=True):
        assert exceptions.recorder() != before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert exceptions.recorder() == before
    with pytest.warns(UserWarning, match="x"):
        inside = while_warning()
    assert inside != before
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warnings, "showwarning", lambda *_: None)
        assert exceptions.recorder() != before
    assert exceptions.recorder() == before


def test_one_frame_up_leaves_strangers_alone() -> None:
    def stranger(coroutine: Any) -> None:
        """Be of unknown make."""

    assert exceptions.one_frame_up(stranger) is stranger
    assert exceptions.one_frame_up(print) is print


def listening() -> list[tuple[Any, Any, bool]]:
    """Return (handler, exception, whether somebody acts on it)."""

    def of_anyio(loop: Any, context: Any) -> None:
        """Stand where the runner's handler stands."""

    of_anyio.__module__ = "anyio._backends._asyncio"
    return [
        (None, ValueError(), False),
        (print, ValueError(), True),
        (print, None, True),
        (of_anyio, ValueError(), True),
        (of_anyio, None, False),
        (Mock(), None, True),
    ]


@pytest.mark.parametrize(("handler", "error", "expected"), listening())
def test_listens(handler: Any, error: Any, expected: bool) -> None:
    assert exceptions.listens(handler, error) is expected
