"""The wall clock in step with virtual time, and names of `time` in the user's packages."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
import time_machine
from freezegun import freeze_time

from pytest_taskleak import FakeClock, FakeClockError
from pytest_taskleak.loops import functions

START = datetime(2024, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)
BEGAN = int(START.timestamp()) * 10**9 + 999_999_000
FROZEN = datetime(2030, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)

Package = Callable[..., ModuleType]


def since(start: datetime) -> timedelta:
    return datetime.now(UTC) - start


def is_real() -> bool:
    """Tell whether the date is the one of the machine, by a clock that nobody here bends."""
    return (
        abs(time.time() - os.stat(Path("/proc/self") if Path("/proc/self").exists() else ".").st_ctime) < 1e7
    )


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Make packages that can be imported, and import them unless they are wanted later."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(name: str, *, load: bool = True, **modules: str) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        made.append(name)
        for module, source in {"__init__": "", **modules}.items():
            (folder / f"{module}.py").write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        return importlib.import_module(name) if load else None

    yield make
    for name in list(sys.modules):
        if name.partition(".")[0] in made:
            del sys.modules[name]


# --- the date in step ----------------------------------------------------------------------------


def test_every_face_of_the_date_is_in_step() -> None:
    async def main() -> None:
        with FakeClock(wall=START):
            assert datetime.now(UTC) == START
            await asyncio.sleep(0.000_001)
            assert datetime.now(UTC) == START + MICROSECOND
            assert date.today() == datetime.fromtimestamp(time.time()).date()
            await asyncio.sleep(86_400)
            there = START + MICROSECOND + timedelta(days=1)
            assert datetime.now(UTC) == there == datetime(2024, 3, 1, tzinfo=UTC)
            assert time.time() == there.timestamp()
            assert time.time_ns() == int(there.timestamp()) * 10**9
            assert time.gmtime()[:6] == (2024, 3, 1, 0, 0, 0)
            assert time.mktime(time.localtime()) == there.timestamp()

    before = time.time()
    asyncio.run(main())
    assert abs(time.time() - before) < 60


def test_no_error_adds_up_over_100_000_moves() -> None:
    with FakeClock(wall=START) as clock:
        for _ in range(100_000):
            clock.tick(0.125)
        assert since(START) == timedelta(seconds=12_500)
        for _ in range(1000):
            clock.tick(1 / 3)
            assert abs(time.time_ns() - BEGAN - round(clock.elapsed * 10**9)) <= 1


def test_a_thousand_years_later_it_is_the_right_date() -> None:
    async def main() -> None:
        with FakeClock(wall=datetime(2024, 1, 1, tzinfo=UTC)):
            await asyncio.sleep(365_250 * 86_400)
            assert datetime.now(UTC).year == 3024

    asyncio.run(main())


def test_without_wall_the_date_is_left_alone() -> None:
    async def main() -> None:
        with FakeClock():
            before = time.time()
            await asyncio.sleep(86_400)
            assert time.time() - before < 60

    asyncio.run(main())


def test_a_date_without_a_zone_is_in_utc() -> None:
    with FakeClock(wall=datetime(2024, 5, 6, 7, 8)):
        assert datetime.now(UTC) == datetime(2024, 5, 6, 7, 8, tzinfo=UTC)


def test_a_zone_of_zoneinfo_is_the_local_one_meanwhile() -> None:
    before = os.environ.get("TZ"), time.tzname
    with FakeClock(wall=datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo"))) as clock:
        assert datetime.now(UTC).hour == 3
        clock.tick(3600)
        assert datetime.now().hour == 13
        assert time.localtime().tm_hour == 13
    assert (os.environ.get("TZ"), time.tzname) == before


def test_a_fixed_offset_is_understood() -> None:
    with FakeClock(wall=datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))):
        assert datetime.now(UTC).hour == 10


def test_the_date_follows_while_time_is_real() -> None:
    async def main() -> None:
        with FakeClock(wall=START) as clock:
            with clock.real():
                await asyncio.sleep(0.02)
            assert timedelta(seconds=0.02) <= since(START) < timedelta(seconds=60)
            assert abs(since(START) - timedelta(seconds=clock.elapsed)) <= MICROSECOND

    asyncio.run(main())


def test_a_clock_used_again_begins_again_with_its_date() -> None:
    clock = FakeClock(wall=START)
    for _ in range(2):
        with clock:
            assert datetime.now(UTC) == START
            clock.tick(5)
            assert since(START) == timedelta(seconds=5)


def test_a_loop_that_begins_later_does_not_move_the_date() -> None:
    """A loop that was under a clock before is ahead of the machine's time; nothing has passed for all that."""
    loop = asyncio.new_event_loop()
    try:
        with FakeClock():
            loop.run_until_complete(asyncio.sleep(1_000_000))
        with FakeClock(wall=START):
            loop.run_until_complete(asyncio.sleep(0.5))
            assert since(START) == timedelta(seconds=0.5)
    finally:
        loop.close()


# --- jumps and drifts ----------------------------------------------------------------------------


def test_the_wall_clock_is_set_and_no_other_time_moves() -> None:
    async def main() -> None:
        with FakeClock(wall=START) as clock:
            loop = asyncio.get_running_loop()
            due = asyncio.ensure_future(asyncio.sleep(10))
            await asyncio.sleep(1)
            before = loop.time()
            clock.shift_wall(hours=-1, seconds=0.000_001)
            assert loop.time() == before
            assert since(START) == timedelta(hours=-1, seconds=1, microseconds=1)
            await due
            assert loop.time() - before == 9
            assert since(START) == timedelta(hours=-1, seconds=10, microseconds=1)
            clock.shift_wall(days=400)
            assert since(START) == timedelta(days=400, hours=-1, seconds=10, microseconds=1)

    asyncio.run(main())


def test_the_wall_clock_drifts_from_here_on() -> None:
    async def main() -> None:
        with FakeClock(wall=START) as clock:
            await asyncio.sleep(100)
            clock.drift_wall(1.0001)
            for _ in range(1000):
                await asyncio.sleep(10)
            assert since(START) == timedelta(seconds=100 + 10_001)
            clock.drift_wall(0.5)
            await asyncio.sleep(10)
            assert since(START) == timedelta(seconds=100 + 10_001 + 5)
            assert clock.elapsed == 10_110

    asyncio.run(main())


def test_only_a_clock_with_a_date_can_be_set() -> None:
    with FakeClock() as clock, pytest.raises(FakeClockError, match="wall="):
        clock.shift_wall(hours=1)
    with pytest.raises(FakeClockError, match="in force"):
        FakeClock(wall=START).shift_wall(hours=1)


# --- beside others -------------------------------------------------------------------------------


def test_without_time_machine_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "time_machine", None)
    with pytest.raises(
        FakeClockError, match=r"wall= needs time-machine: pip install 'pytest-taskleak\[wall\]'"
    ):
        FakeClock(wall=START).__enter__()
    with FakeClock() as clock:  # nothing was left in force
        asyncio.run(asyncio.sleep(60))
        assert clock.elapsed == 60


def test_a_time_machine_that_freezes_monotonic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_machine.escape_hatch.time, "monotonic", time.monotonic, raising=False)
    with pytest.raises(FakeClockError, match="time-machine 3 or later"):
        FakeClock(wall=START).__enter__()


def test_within_a_travel_of_the_user() -> None:
    with time_machine.travel(FROZEN, tick=False):
        with FakeClock(wall=START) as clock:
            clock.tick(1)
            assert since(START) == timedelta(seconds=1)
        assert datetime.now(UTC) == FROZEN
        with FakeClock():
            asyncio.run(asyncio.sleep(60))
            assert datetime.now(UTC) == FROZEN
    assert not time_machine.escape_hatch.is_travelling()


def test_around_a_travel_of_the_user() -> None:
    with FakeClock(wall=START) as clock:
        with time_machine.travel(FROZEN, tick=False) as theirs:
            clock.tick(5)
            assert datetime.now(UTC) == FROZEN
            theirs.shift(1)
            assert since(FROZEN) == timedelta(seconds=1)
        assert since(START) == timedelta(seconds=5)
    assert not time_machine.escape_hatch.is_travelling()


def test_it_ends_below_a_travel_of_the_user() -> None:
    zone = os.environ.get("TZ")
    clock = FakeClock(wall=START.astimezone(ZoneInfo("Asia/Tokyo")))
    clock.__enter__()
    theirs = time_machine.travel(FROZEN.astimezone(ZoneInfo("Europe/Paris")), tick=False)
    theirs.start()
    clock.__exit__(None, None, None)
    try:
        assert datetime.now(UTC) == FROZEN
        assert os.environ.get("TZ") == "Europe/Paris"
    finally:
        theirs.stop()
    assert not time_machine.escape_hatch.is_travelling()
    assert os.environ.get("TZ") == zone
    assert is_real()


def test_a_travel_that_began_before_it_ends_before_it() -> None:
    theirs = time_machine.travel(FROZEN, tick=False)
    theirs.start()
    with FakeClock(wall=START):
        theirs.stop()
    assert not time_machine.escape_hatch.is_travelling()
    assert is_real()


def test_frozen_time_does_not_stop_a_sleep() -> None:
    async def main() -> None:
        with FakeClock() as clock:
            await asyncio.sleep(3600)
            async with asyncio.timeout(10):
                await asyncio.sleep(5)
            assert clock.elapsed == 3605
            assert datetime.now(UTC) == FROZEN

    with freeze_time(FROZEN):
        asyncio.run(main())
        assert datetime.now(UTC) == FROZEN
    assert is_real()


def test_within_frozen_time_a_date_is_refused_and_nothing_is_left() -> None:
    with freeze_time(FROZEN):
        with pytest.raises(FakeClockError, match="wall= cannot be kept while freezegun is active"):
            FakeClock(wall=START).__enter__()
        with FakeClock() as clock:
            asyncio.run(asyncio.sleep(60))
            assert clock.elapsed == 60
        assert datetime.now(UTC) == FROZEN
    assert not time_machine.escape_hatch.is_travelling()


def test_frozen_time_within_it_ends_where_it_began() -> None:
    with FakeClock(wall=START) as clock:
        with freeze_time(FROZEN):
            clock.tick(5)
            assert datetime.now(UTC) == FROZEN
        assert since(START) == timedelta(seconds=5)
    assert is_real()


# --- names in packages ---------------------------------------------------------------------------

READER = """
    import time
    import time as clock
    from time import monotonic, monotonic_ns, perf_counter as counter, sleep
    from time import gmtime, time as date

    OTHER = {"monotonic": monotonic}

    def by_name(): return monotonic()
    def by_module(): return time.monotonic()
    def all_times():
        return monotonic(), time.monotonic(), clock.perf_counter(), counter(), monotonic_ns() / 1e9
"""
LIMITER = """
    import asyncio
    import time

    class Limiter:
        def __init__(self, rate):
            self.gap = 1 / rate
            self.next = time.monotonic()

        async def acquire(self):
            now = time.monotonic()
            wait = max(0.0, self.next - now)
            self.next = max(self.next, now) + self.gap
            if wait:
                await asyncio.sleep(wait)
"""


def test_names_of_a_package_are_those_of_the_clock(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with FakeClock(modules=["taskleak_app"]):
            for _ in range(3):
                assert set(reader.all_times()) == {loop.time()}
                await asyncio.sleep(1000)

    asyncio.run(main())


def test_a_rate_limiter_works_in_virtual_time(package: Package) -> None:
    package("taskleak_app", limiter=LIMITER)
    limiter: Any = importlib.import_module("taskleak_app.limiter")

    async def main() -> list[float]:
        with FakeClock(modules=["taskleak_app"]) as clock:
            gate = limiter.Limiter(rate=0.1)
            taken = []
            for _ in range(5):
                await gate.acquire()
                taken.append(clock.elapsed)
                await asyncio.sleep(3)
            return taken

    assert asyncio.run(main()) == [0, 10, 20, 30, 40]


def test_no_other_module_is_touched(package: Package) -> None:
    package("taskleak_app", reader=READER)
    package("taskleak_appendix", reader=READER)
    before = vars(time).copy()
    mine: Any = importlib.import_module("taskleak_app.reader")
    other: Any = importlib.import_module("taskleak_appendix.reader")
    with FakeClock(modules=["taskleak_app"]) as clock:
        assert vars(time) == before
        clock.tick(1_000_000)
        assert mine.by_name() == mine.by_module() == clock.now
        assert abs(other.by_name() - time.monotonic()) < 60
        assert other.time is time


def test_the_names_are_undone_exactly(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    before = vars(reader).copy()
    with FakeClock(modules=["taskleak_app"]):
        assert reader.monotonic is not time.monotonic
        assert reader.OTHER["monotonic"] is time.monotonic
        assert reader.gmtime is time.gmtime
    assert vars(reader) == before
    assert list(vars(reader)) == list(before)


def test_what_somebody_else_has_bound_meanwhile_stays(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")

    def theirs() -> float:
        return 7.0

    with FakeClock(modules=["taskleak_app"]):
        reader.monotonic = theirs
    assert reader.monotonic is theirs
    assert reader.time is time


def test_a_module_that_is_imported_later(package: Package) -> None:
    package("taskleak_app", load=False, reader=READER, other="from .reader import monotonic")
    with FakeClock(modules=["taskleak_app"]) as clock:
        clock.tick(1_000_000)
        other: Any = importlib.import_module("taskleak_app.other")
        reader: Any = importlib.import_module("taskleak_app.reader")
        assert other.monotonic() == reader.by_module() == reader.by_name() == clock.now
        assert type(reader.__spec__.loader).__module__ != "pytest_taskleak.loops.names"
        assert type(reader.__loader__) is type(reader.__spec__.loader)
        assert clock.stats.notes == []
    assert other.monotonic is reader.monotonic is time.monotonic
    assert reader.time is time
    assert not [
        finder for finder in sys.meta_path if type(finder).__module__ == "pytest_taskleak.loops.names"
    ]


def test_a_module_found_by_a_finder_of_somebody_else(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an editable install brings one, for a package that is not on the path."""
    package("taskleak_real", load=False, reader=READER)
    real = importlib.util.find_spec("taskleak_real.reader")
    assert real is not None
    origin = real.origin

    class Editable:
        @staticmethod
        def find_spec(name: str, path: object, target: object = None) -> object:
            if name == "taskleak_editable":
                return importlib.util.spec_from_file_location(name, origin)
            return None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable])
    try:
        with FakeClock(modules=["taskleak_editable"]) as clock:
            reader: Any = importlib.import_module("taskleak_editable")
            clock.tick(1000)
            assert reader.by_name() == clock.now
    finally:
        sys.modules.pop("taskleak_editable", None)


def test_a_reloaded_module_is_bound_again_and_undone(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    with FakeClock(modules=["taskleak_app"]) as clock:
        clock.tick(1000)
        importlib.reload(reader)
        assert reader.by_name() == reader.by_module() == clock.now
    assert reader.monotonic is time.monotonic
    assert reader.time is time


def test_an_import_that_fails_stays_a_failure(package: Package) -> None:
    package("taskleak_app", load=False, broken="from time import monotonic\nraise LookupError('no')")
    with FakeClock(modules=["taskleak_app"]):
        with pytest.raises(LookupError, match="no"):
            importlib.import_module("taskleak_app.broken")
        with pytest.raises(ModuleNotFoundError, match=r"taskleak_app\.absent"):
            importlib.import_module("taskleak_app.absent")
    assert "taskleak_app.broken" not in sys.modules


def test_a_package_of_which_nothing_was_imported_is_told() -> None:
    with FakeClock(modules=["taskleak_nowhere"]) as clock:
        asyncio.run(asyncio.sleep(1))
    assert clock.stats.notes == ["modules: nothing of 'taskleak_nowhere' was imported"]


def test_the_date_of_a_package_goes_on_without_time_machine(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    monkeypatch.setitem(sys.modules, "time_machine", None)
    with FakeClock(modules=["taskleak_app"]) as clock:
        before = reader.date()
        assert abs(before - time.time()) < 60
        clock.tick(86_400)
        assert round(reader.date() - before, 3) == 86_400
        assert reader.time.time_ns() / 10**9 == reader.date() == reader.time.time()
        clock.shift_wall(hours=-1)
        assert round(reader.date() - before, 3) == 82_800
        assert abs(before - time.time()) < 60


def test_with_wall_the_date_of_a_package_is_that_of_everybody(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    with FakeClock(modules=["taskleak_app"], wall=START) as clock:
        clock.tick(1)
        assert reader.date() == reader.time.time() == time.time() == START.timestamp() + 1
        assert reader.by_name() == clock.now


def test_a_travel_of_the_user_is_the_date_of_a_package_too(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    with FakeClock(modules=["taskleak_app"]), time_machine.travel(FROZEN, tick=False):
        assert reader.date() == reader.time.time() == FROZEN.timestamp()


@pytest.mark.parametrize("known", [False, True], ids=["unknown to freezegun", "known to freezegun"])
def test_frozen_time_within_it_freezes_the_date_of_a_package_and_nothing_else(
    package: Package, known: bool
) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    if known:
        with freeze_time(FROZEN):
            assert reader.date() == FROZEN.timestamp()
    before = vars(reader).copy()
    with FakeClock(modules=["taskleak_app"]) as clock:
        with freeze_time(FROZEN):
            clock.tick(1000)
            assert reader.by_name() == reader.by_module() == reader.counter() == clock.now
            assert reader.date() == reader.time.time() == FROZEN.timestamp()
        assert reader.by_name() == reader.by_module() == clock.now
        assert abs(reader.date() - time.time() - 1000) < 60
    assert vars(reader) == before
    with freeze_time(FROZEN):
        assert reader.date() == FROZEN.timestamp()
        assert reader.by_name() == reader.by_module() == time.monotonic()
    assert vars(reader) == before


def test_within_frozen_time_the_names_are_those_of_the_clock_but_for_the_date(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    before = vars(reader).copy()
    with freeze_time(FROZEN):
        frozen = vars(reader).copy()
        with FakeClock(modules=["taskleak_app"]) as clock:
            clock.tick(1000)
            assert reader.by_name() == reader.by_module() == clock.now
            assert reader.date() == reader.time.time() == FROZEN.timestamp()
        assert vars(reader) == frozen
    assert vars(reader) == before


def patched(reader: Any) -> Iterator[Any]:
    """Patch the module that a package sees, in both of the usual ways; it is seen in there only."""
    real = time.monotonic
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taskleak_app.reader.time.monotonic", lambda: 7.0)
        yield reader.by_module()
    with mock.patch("taskleak_app.reader.time.monotonic", return_value=8.0):
        yield reader.by_module()
    reader.time.monotonic, before = (lambda: 9.0), reader.time.monotonic
    yield reader.by_module()
    reader.time.monotonic = before
    assert time.monotonic is real


def test_a_patch_of_what_the_package_sees_is_undone(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    with FakeClock(modules=["taskleak_app"]) as clock:
        clock.tick(1000)
        assert list(patched(reader)) == [7.0, 8.0, 9.0]
        assert "monotonic" not in vars(reader.time)
        assert reader.by_module() == clock.now
    assert reader.time is time


def test_a_patch_of_the_real_module_goes_before(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    with FakeClock(modules=["taskleak_app"]) as clock:
        with monkeypatch.context() as patch:
            patch.setattr(time, "perf_counter", lambda: 7.0)
            assert reader.clock.perf_counter() == 7.0
        clock.tick(1000)
        assert reader.clock.perf_counter() == clock.now


def test_a_patch_outlives_the_clock_and_is_undone(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    real = time.sleep
    with pytest.MonkeyPatch.context() as patch, FakeClock(modules=["taskleak_app"]):
        patch.setattr(reader.time, "sleep", lambda seconds: None)
    assert time.sleep is real
    assert reader.time is time


def test_what_a_package_has_taken_over_is_undone_too(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    with FakeClock(modules=["taskleak_app"]):
        reader.mine, reader.module = reader.time.perf_counter, reader.time
        assert reader.mine is not time.perf_counter
    assert reader.mine is time.perf_counter
    assert reader.module is time


def test_the_module_looks_like_the_real_one(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    with FakeClock(modules=["taskleak_app"]):
        assert isinstance(reader.time, ModuleType)
        assert reader.time is reader.clock
        assert reader.time.gmtime is time.gmtime
        assert reader.time.struct_time is time.struct_time
        assert reader.time.__spec__ is time.__spec__
        assert reader.time.__name__ == "time"
        assert dir(reader.time) == dir(time)
        with pytest.raises(AttributeError, match="module 'time' has no attribute 'nothing'"):
            _ = reader.time.nothing


def test_who_keeps_a_function_has_real_time_afterwards_that_never_goes_back(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")

    class Keeper:
        clock = None

    with FakeClock(modules=["taskleak_app"]) as clock:
        Keeper.clock = reader.monotonic
        module = reader.time
        clock.tick(1000)
        last = Keeper().clock()  # type: ignore[misc]
        assert last == clock.now
    first = Keeper.clock()  # type: ignore[misc]
    assert last <= first < last + 60
    assert module.monotonic is time.monotonic


# --- sleeps --------------------------------------------------------------------------------------

SLEEPER = """
    import time

    async def worker(seconds=5):
        time.sleep(seconds)

    def sleep(seconds):
        time.sleep(seconds)
"""


def test_a_sleep_in_a_coroutine_moves_the_clock_and_is_told(package: Package) -> None:
    package("taskleak_app", sleeper=SLEEPER)
    sleeper: Any = importlib.import_module("taskleak_app.sleeper")
    ran: list[float] = []

    async def main() -> None:
        with FakeClock(modules=["taskleak_app"], wall=START) as clock:
            asyncio.get_running_loop().call_later(1, lambda: ran.append(clock.elapsed))
            await sleeper.worker()
            assert ran == []
            assert clock.elapsed == 5
            assert since(START) == timedelta(seconds=5)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert ran == [5]
            await sleeper.worker(7)
            (note,) = clock.stats.notes
            assert note.startswith("time.sleep(5) at ")
            assert note.endswith("sleeper.py:5  worker blocks the loop")

    asyncio.run(main())


def test_a_sleep_where_no_loop_runs_moves_the_clock_and_is_no_fault(package: Package) -> None:
    package("taskleak_app", sleeper=SLEEPER)
    sleeper: Any = importlib.import_module("taskleak_app.sleeper")
    with FakeClock(modules=["taskleak_app"]) as clock:
        sleeper.sleep(1_000_000)
        sleeper.sleep(True)
        sleeper.sleep(0)
        assert clock.elapsed == 1_000_001
        assert clock.stats.notes == []


@pytest.mark.parametrize(
    ("seconds", "error"),
    [(-1, ValueError), (float("nan"), ValueError), (float("inf"), OverflowError), ("1", TypeError)],
)
def test_what_is_no_duration_is_refused_as_in_life(
    package: Package, seconds: Any, error: type[Exception]
) -> None:
    package("taskleak_app", sleeper=SLEEPER)
    sleeper: Any = importlib.import_module("taskleak_app.sleeper")
    with FakeClock(modules=["taskleak_app"]) as clock:
        with pytest.raises(error):
            sleeper.sleep(seconds)
        assert clock.elapsed == 0


def test_a_sleep_in_another_thread_is_real(package: Package) -> None:
    package("taskleak_app", sleeper=SLEEPER)
    sleeper: Any = importlib.import_module("taskleak_app.sleeper")
    with FakeClock(modules=["taskleak_app"]) as clock:
        thread = threading.Thread(target=sleeper.sleep, args=(0.01,))
        thread.start()
        thread.join()
        assert clock.elapsed == 0


def test_a_sleep_while_time_is_real_is_real(package: Package) -> None:
    package("taskleak_app", sleeper=SLEEPER)
    sleeper: Any = importlib.import_module("taskleak_app.sleeper")

    async def main() -> None:
        with FakeClock(modules=["taskleak_app"]) as clock:
            with clock.real():
                sleeper.sleep(0.02)
                assert 0.02 <= clock.elapsed < 60
            assert clock.stats.notes == []

    asyncio.run(main())


def test_a_busy_wait_for_a_time_ends_and_is_told(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "SPIN", 1000)
    spinner = """
        import time

        def spin(seconds):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                pass
    """
    package("taskleak_app", spinner=spinner)
    module: Any = importlib.import_module("taskleak_app.spinner")
    with FakeClock(modules=["taskleak_app"]) as clock:
        module.spin(0.01)
        assert 0.01 <= clock.elapsed < 0.0101
        (note,) = clock.stats.notes
        assert note.startswith("a busy wait reads the time at ")
        assert note.endswith("spinner.py:6  spin: time creeps there")


def test_reading_the_time_often_is_no_busy_wait(package: Package) -> None:
    package("taskleak_app", reader=READER)
    reader: Any = importlib.import_module("taskleak_app.reader")
    with FakeClock(modules=["taskleak_app"]) as clock:
        for _ in range(10_000):
            reader.by_name()
        assert clock.elapsed == 0
        assert clock.stats.notes == []
