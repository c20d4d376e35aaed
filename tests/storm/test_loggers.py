"""Is nothing that a service logs or drops in a sweep written anywhere, and is all as before afterwards?"""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import logging.handlers
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.adapt.hermetic import HermeticLoop
from pytest_taskleak.adapt.quiet import MOST_PRINTED, NO_MORE, Quiet
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.cycles import cycle
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.shrinking import shrink
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.storm.telling import listening, replayed

LOUD = logging.getLogger("storm.loud")


class Kept(logging.Handler):
    """Keeps what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    LOUD.addHandler(handler)
    LOUD.propagate = False
    yield handler
    LOUD.removeHandler(handler)
    LOUD.propagate = True


class Loud:
    """Logs whatever it does."""

    async def start(self) -> None:
        LOUD.error("start")

    async def stop(self) -> None:
        LOUD.error("stop")


def swept(service: Any = Loud) -> Any:
    return Sweep(maker(service), None, "service", ("stop", "cancel")).sweep()


def test_handlers_of_other_loggers_hear_nothing_in_a_sweep(kept: Kept) -> None:
    report = swept()
    assert report.runs > 5
    assert kept.heard == []
    LOUD.error("after")
    assert kept.heard == ["after"]


def test_nor_in_cycles_and_while_a_failure_is_made_small(kept: Kept) -> None:
    class Leaving(Loud):
        async def start(self) -> None:
            await super().start()
            self.task = asyncio.create_task(asyncio.sleep(0.01))

    cycle(maker(Loud), count=3)
    sweep = Sweep(maker(Leaving), None, "service", ("stop",))
    (cause,) = sweep.sweep().causes
    before = sweep.runs
    shrink(sweep, cause)
    assert sweep.runs > before
    assert kept.heard == []


def test_a_replay_is_heard_once(kept: Kept) -> None:
    sweep = Sweep(maker(Loud), None, "service", ())
    report = replayed(sweep, "stop@2")
    assert "start" in kept.heard
    assert kept.heard.count("stop") < len(kept.heard)
    assert report.story is not None


def test_the_story_of_a_replay_has_what_goes_to_the_root() -> None:
    sweep = Sweep(maker(Loud), None, "service", ())
    report = replayed(sweep, "baseline")
    assert report.story is not None
    assert any("storm.loud: start" in line for line in report.story.log)


def test_where_there_is_no_handler_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    LOUD.propagate = False
    try:
        swept()
    finally:
        LOUD.propagate = True
    assert capfd.readouterr() == ("", "")


def test_nothing_of_loggers_is_touched(kept: Kept) -> None:
    before = (logging.Handler.handle, LOUD.handlers[:], kept.filters[:], LOUD.level, logging.root.handlers[:])
    with listening(None):
        assert before[0] is not logging.Handler.handle
        assert LOUD.handlers == before[1]
    after = (logging.Handler.handle, LOUD.handlers[:], kept.filters[:], LOUD.level, logging.root.handlers[:])
    assert after == before


def test_who_replaces_it_meanwhile_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(self: logging.Handler, record: logging.LogRecord) -> bool:
        return True

    monkeypatch.setattr(logging.Handler, "handle", logging.Handler.handle)
    with Quiet():
        logging.Handler.handle = other  # type: ignore[method-assign]
    assert logging.Handler.handle is other


def test_other_threads_and_other_loops_are_heard(kept: Kept) -> None:
    async def real() -> None:
        LOUD.error("another loop")

    with Quiet():
        thread = threading.Thread(target=LOUD.error, args=("another thread",))
        thread.start()
        thread.join()
        with asyncio.Runner() as runner:
            runner.run(real())
        LOUD.error("no loop")
        loop = HermeticLoop(ties=int, hashes=int, refuse=sys.exit)
        loop.run(loop.create_task(real()), until=2_000.0, most=100)
        other = threading.Thread(target=simulated, args=(real,))
        other.start()
        other.join()
        loop.close()
    assert kept.heard == ["another thread", "another loop", "no loop", "another loop"]


def simulated(real: Any) -> None:
    """Run something in a simulated loop that is nobody's sweep."""
    loop = HermeticLoop(ties=int, hashes=int, refuse=sys.exit)
    loop.run(loop.create_task(real()), until=2_000.0, most=100)
    loop.close()


class Dispatching:
    """Dispatches what is logged: its handler is a part of it."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.handler = Putting(self)
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        LOUD.addHandler(self.handler)
        self.task = asyncio.create_task(self.work())

    async def work(self) -> None:
        while (item := await self.queue.get()) is not None:
            self.env.finish(item)

    async def stop(self) -> None:
        LOUD.removeHandler(self.handler)
        if self.task is not None:
            self.queue.put_nowait(None)
            await asyncio.wait([self.task])


class Forgetting(Dispatching):
    """Forgets what has not been dispatched yet."""

    async def stop(self) -> None:
        LOUD.removeHandler(self.handler)
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])


class Putting(logging.Handler):
    """Puts what it hears into a queue."""

    def __init__(self, service: Dispatching) -> None:
        super().__init__()
        self.service = service

    def emit(self, record: logging.LogRecord) -> None:
        self.service.queue.put_nowait(self.service.env.accept(record.getMessage()))


async def logging_load(_: Dispatching) -> None:
    for number in range(3):
        LOUD.error("item %d", number)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("service", "letters"), [(Dispatching, set()), (Forgetting, {"L"})])
def test_a_handler_that_is_a_part_of_the_service_hears(service: Any, letters: set[str], kept: Kept) -> None:
    report = Sweep(maker(service), logging_load, "service", ("stop", "stop2", "cancel")).sweep()
    assert {cause.oracle for cause in report.causes} == letters
    assert kept.heard == []


@pytest.mark.parametrize("own", [True, False], ids=["memory", "file"])
def test_a_file_that_the_service_opens_is_not_written(own: bool, tmp_path: Path) -> None:
    path, memory = tmp_path / "log", io.StringIO()

    class Opening(Loud):
        async def start(self) -> None:
            self.handler = logging.StreamHandler(memory) if own else logging.FileHandler(path, delay=True)
            LOUD.addHandler(self.handler)
            await super().start()

        async def stop(self) -> None:
            await super().stop()
            LOUD.removeHandler(self.handler)
            self.handler.close()

    assert swept(Opening).runs > 5
    assert bool(memory.getvalue()) is own
    assert not path.exists()


class Printing:
    """Prints whatever it does."""

    async def start(self) -> None:
        print("start " * 100)

    async def stop(self) -> None:
        print("stop " * 100, file=sys.stderr)


def test_what_is_printed_is_kept_up_to_a_length(capsys: pytest.CaptureFixture[str]) -> None:
    stream, write = sys.stdout, sys.stdout.write
    report = Sweep(maker(Printing), None, "service", ("stop", "cancel"), range(20)).sweep()
    assert report.runs > 100
    print("after")
    out, err = capsys.readouterr()
    assert MOST_PRINTED < len(out) < MOST_PRINTED + 1_000
    assert MOST_PRINTED < len(err) < MOST_PRINTED + 1_000
    assert out.endswith(f"{NO_MORE}after\n")
    assert sys.stdout is stream
    assert sys.stdout.write == write


def test_what_others_print_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with Quiet():
        for _ in range(3):
            print("x" * MOST_PRINTED)
    out, _ = capsys.readouterr()
    assert len(out) == 3 * (MOST_PRINTED + 1)


def test_little_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    report = swept(Printing)
    out, _ = capsys.readouterr()
    assert out.count("start start") >= report.runs


@pytest.mark.parametrize("stream", [None, object(), io.StringIO()])
def test_a_stream_may_be_anything(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    with Quiet():
        pass
    assert sys.stdout is stream


def test_a_terminal_takes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    with Quiet():
        assert "write" not in vars(sys.stdout)


# --- what is told at the end of things -------------------------------------------------------------------


class Dropping:
    """Leaves behind whatever complains when it is collected."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    async def start(self) -> None:
        asyncio.get_running_loop().create_future().set_exception(ValueError("nobody asks"))
        self.kept.append(asyncio.create_task(self.fails()))
        self.kept.append(asyncio.create_task(asyncio.sleep(1000)))
        self.kept.append(asyncio.sleep(1))
        self.kept.append(self.generates())
        await anext(self.kept[-1])
        self.kept.append(self)

    async def generates(self) -> Any:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)

    async def fails(self) -> None:
        raise ValueError("nobody asks")

    async def stop(self) -> None:
        return


async def failing_load(service: Dropping, env: Env) -> None:
    env.client(service.fails())
    asyncio.get_running_loop().create_task(service.fails())


def test_nothing_comes_out_of_a_sweep_afterwards(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        report = Sweep(maker(Dropping), failing_load, "service", ("stop", "cancel")).sweep()
        gc.collect()
    assert {"E", "T", "W"} <= {cause.oracle for cause in report.causes}
    assert [str(one.message) for one in heard] == []
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


SCRIPT = """
import asyncio, gc, sys
sys.path.insert(0, {folder!r})
import test_loggers
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.sweep import Sweep

class Later(test_loggers.Dropping):
    async def start(self):
        self.env = None

    async def stop(self):
        await super().start()

for service in (test_loggers.Dropping, Later):
    report = Sweep(maker(service), test_loggers.failing_load, "service", ("stop", "cancel", "kill")).sweep()
    assert report.causes
gc.collect()
print("done")
"""


def test_nothing_comes_out_of_a_script_in_development_mode(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(folder=str(Path(__file__).parent)), encoding="utf-8")
    command = [sys.executable, "-X", "dev", "-W", "always", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == ("done\n", "")
