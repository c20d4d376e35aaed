"""Services that cannot be simulated are stopped at random moments, and whatever they leave is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
import time
from typing import Any

import psutil
import pytest

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.plan import Limits
from pytest_taskleak.storm.real import RealStorm
from pytest_taskleak.storm.real_run import Moment, moment_of
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.tokens import TokenError

uvloop = pytest.importorskip("uvloop") if sys.platform != "win32" else None
FACTORIES = [asyncio.new_event_loop, *([uvloop.new_event_loop] if uvloop else [])]
QUICK = Limits(deadline=0.5, grace=0.0, linger=0.01, live_on=0.01)
SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


class Server:
    """Echoes lines over TCP; at its stop it ends the connections and waits for what it has begun."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.busy: set[asyncio.Task[Any]] = set()
        self.writers: set[asyncio.StreamWriter] = set()
        self.server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.busy.add(task)
        self.writers.add(writer)
        try:
            while line := await reader.readline():
                self.env.accept(line)
                await self.handle(line, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self.busy.discard(task)
            self.writers.discard(writer)
            writer.close()

    async def handle(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        self.env.finish(line)
        await writer.drain()

    async def stop(self) -> None:
        server, self.server = self.server, None
        if server is not None:
            server.close()
        for task in list(self.busy):
            task.cancel()
        await asyncio.gather(*self.busy, return_exceptions=True)


async def clients(service: Server, env: Env) -> None:
    async def one(number: int) -> None:
        with contextlib.suppress(ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            try:
                for turn in range(4):
                    writer.write(f"{number}.{turn}\n".encode())
                    if not await reader.readline():
                        return
                    await asyncio.sleep(0.002)
            finally:
                writer.close()

    await asyncio.gather(*[env.client(one(number)) for number in range(3)])


async def idle_clients(service: Server, env: Env) -> None:
    """They hold their connections until the server ends them."""

    async def one() -> None:
        with contextlib.suppress(ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            try:
                await reader.read()
            finally:
                writer.close()

    for _ in range(2):
        env.client(one())
    await asyncio.sleep(0.02)


def storm(service: Any, load: Any = None, **options: Any) -> StormReport:
    options.setdefault("limits", QUICK)
    options.setdefault("moments", 9)
    return RealStorm(maker(service), load, "service", **options).sweep()


def letters(report: StormReport) -> set[str]:
    return {cause.oracle for cause in report.causes if cause.scale == "violation"}


def told(report: StormReport, oracle: str) -> str:
    return next(cause.text for cause in report.causes if cause.oracle == oracle)


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__module__.split(".")[0])
def test_a_clean_server(factory: Any) -> None:
    assert storm(Server, idle_clients, loop_factory=factory, moments=6).causes == []
    report = storm(Server, clients, loop_factory=factory, moments=12)
    assert report.causes == []
    assert (report.deterministic, report.complete) == (None, True)
    assert [result.axis for result in report.axes] == ["stop", "cancel", "stop2"]
    assert [(result.planned, result.ran, result.failing) for result in report.axes] == [(4, 4, 0)] * 3
    assert report.claim == "12 random moments in real time: a sample, not a proof"
    assert report.runs == 14


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__module__.split(".")[0])
def test_a_server_that_forgets_its_connections(factory: Any) -> None:
    class Forgets(Server):
        async def stop(self) -> None:
            if self.server is not None:
                self.server.close()

    report = storm(Forgets, idle_clients, loop_factory=factory)
    assert letters(report) == {"T", "Q"}
    assert "Forgets" not in told(report, "T"), "told by the place, which is the server's"
    assert "Server.serve" in told(report, "T")


def test_a_loss_is_found_by_progress() -> None:
    class Loses(Server):
        async def handle(self, line: bytes, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.001)
            await super().handle(line, writer)

    storm_ = RealStorm(maker(Loses), clients, "service", moments=15, limits=QUICK)
    report = storm_.sweep()
    lost = next(cause for cause in report.causes if cause.oracle == "L")
    assert lost.count > 1
    again = [storm_.replay("real,stop@accept~5") for _ in range(5)]
    assert all(outcome.hit for outcome in again)
    assert sum("L" in {v.oracle for v in outcome.violations} for outcome in again) >= 3, (
        "soon after an accept"
    )
    assert storm_.replay(lost.token).plan.axis == lost.axis


def test_a_listening_socket_is_left() -> None:
    class Left(Server):
        async def stop(self) -> None:
            self.socket = socket.create_server(("127.0.0.1", 0))
            await super().stop()

    report = storm(Left)
    assert letters(report) == {"F"}
    assert "('127.0.0.1', " in told(report, "F")
    assert report.causes[0].axis == "baseline", "what is wrong without a trigger comes first"
    assert report.axes[0].ran == 0


def test_a_timer_and_a_task_are_left() -> None:
    class Left:
        async def start(self) -> None:
            self.task = asyncio.create_task(asyncio.sleep(60), name="heartbeat")
            asyncio.get_running_loop().call_later(60, self.beat)

        def beat(self) -> None:
            raise NotImplementedError

        async def stop(self) -> None:
            pass

    report = storm(Left)
    assert letters(report) == {"T", "t"}
    assert "Left.beat" in told(report, "t")
    assert "'heartbeat'" in told(report, "T")


def test_a_thread_is_left() -> None:
    gates: list[threading.Event] = []

    class Left:
        async def start(self) -> None:
            gates.append(threading.Event())
            threading.Thread(target=gates[-1].wait, name="pump").start()

        async def stop(self) -> None:
            pass

    try:
        report = storm(Left)
    finally:
        for gate in gates:
            gate.set()
    assert letters(report) == {"H"}
    assert "thread 'pump' still runs" in told(report, "H")


class Pooled:
    """Lets a thread work on each item."""

    seconds = 0.02

    def __init__(self, env: Env) -> None:
        self.env = env
        self.items: asyncio.Queue[int] = asyncio.Queue()
        self.begun: set[int] = set()
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self.run(), name="worker")

    async def run(self) -> None:
        while True:
            item = await self.items.get()
            try:
                await asyncio.to_thread(self.work, item)
            except asyncio.CancelledError:
                if item not in self.begun:
                    self.env.drop(item, "stopped")
                raise

    def work(self, item: int) -> None:
        self.begun.add(item)
        time.sleep(self.seconds)
        self.env.finish(item)

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait([self.task])
        while not self.items.empty():
            self.env.drop(self.items.get_nowait(), "stopped")


def pooled_load(service: Pooled, env: Env) -> None:
    for item in range(4):
        service.items.put_nowait(env.accept(item))


def test_a_call_that_goes_on_in_a_pool_is_an_advice() -> None:
    limits = Limits(deadline=0.5, linger=0.03, live_on=0.2)  # its natural end comes while it works
    report = storm(Pooled, pooled_load, limits=limits, moments=6)
    assert letters(report) == set()
    assert {(cause.oracle, cause.scale) for cause in report.causes} == {("H", "advisory")}
    assert "Pooled.work() still runs in a pool" in told(report, "H")


def test_a_call_that_never_ends_in_a_pool_is_told() -> None:
    gate = threading.Event()

    class Stuck(Pooled):
        def work(self, item: int) -> None:
            gate.wait(20)

    limits = Limits(deadline=0.2, linger=0.02, live_on=0.01)
    timer = threading.Timer(4, gate.set)
    timer.start()
    report = storm(Stuck, pooled_load, limits=limits, moments=1, axes=["stop"])
    gate.set()
    timer.cancel()
    timer.join()
    assert "H" in letters(report)
    texts = [cause.text for cause in report.causes if cause.oracle == "H"]
    assert any("Stuck.work() still runs" in text for text in texts)


class Parent:
    """Has a child process, which its stop ends."""

    def __init__(self) -> None:
        self.child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.child = await asyncio.create_subprocess_exec(*SLEEPER)

    async def stop(self) -> None:
        child, self.child = self.child, None
        if child is not None:
            child.kill()
            await child.wait()


def test_a_child_that_is_ended() -> None:
    class Careful(Parent):
        async def start(self) -> None:
            try:
                await super().start()
            except asyncio.CancelledError:
                await self.stop()
                raise

    report = storm(Parent, moments=4, axes=["stop"])
    assert report.causes == []


def test_a_child_is_left() -> None:
    class Left(Parent):
        async def stop(self) -> None:
            pass

    before = set(psutil.Process().children())
    report = storm(Left, moments=2)
    assert "P" in letters(report)
    assert "time.sleep(60)" in told(report, "P")
    assert set(psutil.Process().children()) == before, "it was killed"


def test_a_stop_that_hangs_is_told() -> None:
    class Hangs(Server):
        async def stop(self) -> None:
            await super().stop()
            if asyncio.current_task().get_name() == "stop-0":  # type: ignore[union-attr]
                await asyncio.Event().wait()

    began = time.monotonic()
    limits = Limits(deadline=0.1, linger=0.05, live_on=0.01)
    report = storm(Hangs, clients, moments=5, limits=limits, axes=["stop"])
    assert letters(report) == {"D"}
    assert "the stop took longer than 0.1 s" in told(report, "D")
    assert "Hangs.stop" in told(report, "D")
    assert report.complete
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("burns", [False, True])
def test_a_loop_that_is_blocked_is_told(burns: bool) -> None:
    over = time.monotonic() + 15

    class Blocks(Server):
        async def stop(self) -> None:
            await super().stop()
            if asyncio.current_task().get_name() == "stop-0":  # type: ignore[union-attr]
                self.block()

        def block(self) -> None:
            while time.monotonic() < over:
                if not burns:
                    time.sleep(0.2)

    limits = Limits(deadline=0.1, linger=0.05, live_on=0.01)
    report = storm(Blocks, clients, moments=6, limits=limits, axes=["stop"])
    assert letters(report) == {"B"}
    assert "Blocks.block+" in told(report, "B")
    (token,) = {cause.token for cause in report.causes if cause.oracle == "B"}
    assert moment_of(token)[1] is not None, "it names the moment that has blocked it"
    assert not report.complete
    assert report.axes[0].ran < 6
    assert time.monotonic() < over, "the thread was ended"
    assert not [thread for thread in threading.enumerate() if thread.name == "storm"]


def test_a_swallowed_cancellation_and_a_lost_exception() -> None:
    class Bad(Server):
        async def stop(self) -> None:
            await super().stop()
            self.task = asyncio.create_task(self.fail())

        async def fail(self) -> None:
            raise ValueError("nobody asks")

    report = storm(Bad)
    assert "E" in letters(report)
    assert "nobody asks" in told(report, "E")

    async def main() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    report = storm(main, axes=["cancel"], moments=4)
    assert letters(report) == set(), "its main is its own; the root is cancelled"


def test_a_task_that_exits_is_told() -> None:
    class Exits(Server):
        async def stop(self) -> None:
            await super().stop()
            sys.exit(3)

    report = storm(Exits, clients, moments=2)
    assert "E" in letters(report)


def test_signals_are_noted_and_the_process_is_left_alone() -> None:
    heard: list[str] = []

    class Signals(Server):
        async def start(self) -> None:
            await super().start()
            asyncio.get_running_loop().add_signal_handler(15, heard.append, "TERM")

        async def stop(self) -> None:
            await super().stop()
            asyncio.get_running_loop().remove_signal_handler(15)

    async def load(service: Signals, env: Env) -> None:
        env.signal(15)
        await asyncio.sleep(0)

    report = storm(Signals, load, moments=3)
    assert report.causes == []
    assert heard


def test_the_moments_are_those_of_the_seed() -> None:
    def chosen(seed: int) -> list[Moment]:
        storm_ = RealStorm(maker(Server), None, "service", moments=12, seed=seed)
        return list(storm_.chosen(0.1, ["accept", "finish", "accept"]))

    assert chosen(1) == chosen(1) != chosen(2)
    kinds = [moment.kind for moment in chosen(1)]
    assert kinds[:3] == kinds[6:9] == ["time"] * 3
    assert set(kinds[3:6] + kinds[9:]) <= {"accept", "finish"}
    assert {moment for seed in range(9) for moment in chosen(seed) if moment.kind != "time"} == {
        Moment("accept", 0), Moment("finish", 0), Moment("accept", 1),
    }  # fmt: skip
    assert all(0 <= moment.number < 100_000 for moment in chosen(3) if moment.kind == "time")


def test_ctrl_c_leaves_a_report_and_no_thread() -> None:
    def stop_it(axis: str, made: int, of: int) -> None:
        if made == 2:
            raise KeyboardInterrupt

    report = storm(Server, clients, progress=stop_it)
    assert (report.interrupted, report.complete) == (True, False)
    assert sum(result.ran for result in report.axes) == 2


def test_the_budget_is_kept() -> None:
    report = storm(Server, clients, budget=0.0)
    assert not report.complete
    assert sum(result.ran for result in report.axes) == 0


@pytest.mark.parametrize(
    "token", ["stop@3", "real,kill@time~3", "real,stop@never~3", "real,stop", "real,stop@time"]
)
def test_a_token_that_is_none(token: str) -> None:
    with pytest.raises(TokenError, match="no token of a storm in real time"):
        moment_of(token)


def test_axes_that_cannot_be_had() -> None:
    for axes, wrong in ((["stop", "kill"], "kill"), ([], "none")):
        with pytest.raises(ValueError, match=f"the axes are stop, cancel, stop2, got {wrong}"):
            storm(Server, axes=axes)


def test_a_run_leaves_nothing_of_its_own() -> None:
    def counted() -> tuple[int, int, int]:
        return len(os.listdir("/dev/fd")), threading.active_count(), len(psutil.Process().children())

    storm(Server, clients, moments=3)
    before = counted()
    storm(Server, clients, moments=6)
    assert counted() == before
