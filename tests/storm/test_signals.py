"""Do signals in a storm come to the handlers of the service, and never to the process that runs the tests?"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from os import kill as kill_by_name
from pathlib import Path
from signal import raise_signal as raise_by_name
from typing import Any

import anyio
import pytest

from pytest_taskleak.adapt.hermetic_signals import SignalDeath
from pytest_taskleak.adapt.outside import Outside
from pytest_taskleak.storm.adapters import maker, waited
from pytest_taskleak.storm.cycles import cycle
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.sweep import Sweep, installed

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reference import Service
from reference import load as submit_all
from simulated import in_memory

if os.name == "nt":
    pytest.skip("loops of this system have no handlers of signals", allow_module_level=True)

ONE = signal.SIGUSR1
STATUS = Path("/proc/self/status")
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def simulating() -> Iterator[None]:
    """Let the simulated process answer for the real one."""
    outside = Outside()
    outside.install()
    try:
        yield
    finally:
        outside.uninstall()


def simulated(main: Callable[[Env], Coroutine[Any, Any, Any]]) -> Any:
    """Return what a coroutine comes to in a simulated process."""
    with simulating():
        return in_memory(main)


def both(main: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, Any]:
    """Return what a coroutine comes to on a real loop, and on a simulated one."""
    before = signal.getsignal(ONE)
    try:
        real = asyncio.run(main())
    finally:
        signal.signal(ONE, before)
    return real, simulated(lambda _: main())


# --- as asyncio and the module `signal` do it ------------------------------------------------------------


async def work() -> None:
    """Stand where a callback is a coroutine function."""


REFUSED: dict[str, Callable[[Any], object]] = {
    "a coroutine function": lambda loop: loop.add_signal_handler(ONE, work),
    "no number": lambda loop: loop.add_signal_handler("TERM", print),
    "no such signal": lambda loop: loop.add_signal_handler(4_000, print),
    "SIGKILL": lambda loop: loop.add_signal_handler(signal.SIGKILL, print),
    "SIGSTOP": lambda loop: loop.add_signal_handler(signal.SIGSTOP, print),
    "no number, away": lambda loop: loop.remove_signal_handler(None),
    "no such signal, away": lambda loop: loop.remove_signal_handler(0),
    "signal: out of range": lambda _: signal.signal(4_000, signal.SIG_DFL),
    "signal: SIGKILL": lambda _: signal.signal(signal.SIGKILL, print),
    "signal: no handler": lambda _: signal.signal(ONE, "print"),  # type: ignore[arg-type]
    "signal: a number": lambda _: signal.signal(ONE, 7),
    "getsignal: out of range": lambda _: signal.getsignal(0),
    "raise_signal: no such signal": lambda _: signal.raise_signal(4_000),
    "kill: no such signal": lambda _: os.kill(os.getpid(), 4_000),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_same_is_refused_with_the_same_words(what: str) -> None:
    async def main() -> tuple[type, str]:
        with pytest.raises(Exception) as error:
            REFUSED[what](asyncio.get_running_loop())
        return error.type, re.sub(r"^signal number \d+ ", "signal number ", str(error.value))

    real, simulation = both(main)
    assert simulation == real


def test_a_closed_loop_takes_no_handler() -> None:
    async def main() -> Any:
        return asyncio.get_running_loop()

    loop = simulated(lambda _: main())
    with pytest.raises(RuntimeError, match="closed"):
        loop.add_signal_handler(ONE, print)


class Log(list[str]):
    """What was called, in its order."""

    def handler(self, name: str) -> Callable[..., None]:
        """Return a handler that says its name."""
        return lambda *_: self.append(name)


async def by_loop(log: Log) -> None:
    asyncio.get_running_loop().add_signal_handler(ONE, log.handler("loop"))


async def by_signal(log: Log) -> None:
    signal.signal(ONE, log.handler("signal"))


async def by_loop_last(log: Log) -> None:
    await by_signal(log)
    await by_loop(log)


async def by_signal_last(log: Log) -> None:
    await by_loop(log)
    await by_signal(log)


async def replaced(log: Log) -> None:
    asyncio.get_running_loop().add_signal_handler(ONE, log.append, "replaced")
    await by_loop(log)


async def ignored(log: Log) -> None:
    await by_loop(log)
    signal.signal(ONE, signal.SIG_IGN)


async def put_back(log: Log) -> None:
    await by_signal(log)
    before = signal.signal(ONE, signal.SIG_IGN)
    assert signal.getsignal(ONE) is signal.Handlers.SIG_IGN
    assert signal.signal(ONE, before) is signal.Handlers.SIG_IGN
    assert signal.getsignal(ONE) is before


async def taken_away(log: Log) -> None:
    loop = asyncio.get_running_loop()
    await by_loop(log)
    log.append(str((loop.remove_signal_handler(ONE), loop.remove_signal_handler(ONE))))
    assert signal.getsignal(ONE) is signal.Handlers.SIG_DFL
    await by_signal(log)


HANDLERS = (by_loop, by_signal, by_loop_last, by_signal_last, replaced, ignored, put_back, taken_away)
SEND: dict[str, Callable[[], None]] = {
    "raise_signal": lambda: signal.raise_signal(ONE),
    "kill": lambda: os.kill(os.getpid(), ONE),
}


@pytest.mark.parametrize("way", SEND)
@pytest.mark.parametrize("handlers", HANDLERS)
def test_handlers_are_called_as_in_life(
    handlers: Callable[[Log], Coroutine[Any, Any, None]], way: str
) -> None:
    async def main() -> Log:
        log = Log()
        await handlers(log)
        SEND[way]()
        log.append("sent")
        await asyncio.sleep(0.001)
        asyncio.get_running_loop().remove_signal_handler(ONE)
        return log

    real, simulation = both(main)
    assert simulation == real
    assert "sent" in real


def test_what_a_handler_raises_comes_out_where_the_signal_was_raised() -> None:
    async def main() -> str:
        def handler(number: int, frame: Any) -> None:
            raise LookupError(f"{number == ONE} {frame.f_code.co_name}")

        signal.signal(ONE, handler)
        try:
            signal.raise_signal(ONE)
        except LookupError as error:
            return str(error)
        return "nothing"

    assert both(main) == ("True main", "True main")


# --- env.signal ------------------------------------------------------------------------------------------


def test_env_signal_schedules_the_handler_of_the_loop() -> None:
    async def main(env: Env) -> list[str]:
        log = Log()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, log.append, "loop")
        env.signal(signal.SIGTERM)
        asyncio.get_running_loop().call_soon(log.append, "later")
        env.signal(signal.SIGTERM)
        log.append("sent")
        await asyncio.sleep(0)
        return log

    assert simulated(main) == ["sent", "loop", "later", "loop"]


def test_env_signal_calls_a_handler_of_signal_before_the_next_callback() -> None:
    async def main(env: Env) -> list[str]:
        log = Log()
        signal.signal(signal.SIGTERM, log.handler("signal"))
        asyncio.get_running_loop().call_soon(log.append, "later")
        env.signal(signal.SIGTERM)
        log.append("sent")
        await asyncio.sleep(0)
        return log

    assert simulated(main) == ["sent", "signal", "later"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda s: s.name)
def test_a_signal_that_nobody_handles_is_told_by_its_name(number: signal.Signals) -> None:
    async def main(env: Env) -> None:
        with pytest.raises(SignalDeath, match=f"{number.name}: nobody handles it .* would have ended"):
            env.signal(number)
        with pytest.raises(SignalDeath, match=number.name):
            signal.raise_signal(number)

    simulated(main)


def test_a_signal_that_does_no_harm_does_none() -> None:
    async def main(env: Env) -> None:
        env.signal(signal.SIGCHLD)
        env.signal(signal.SIGPIPE)  # Python ignores it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        env.signal(signal.SIGTERM)
        os.kill(os.getpid(), 0)
        with pytest.raises(SignalDeath, match=r"SIGTSTP: .* would have been stopped"):
            env.signal(signal.SIGTSTP)

    simulated(main)


@pytest.mark.parametrize("send", ["env", "raise", "as SIGTERM"])
def test_sigint_cancels_the_program_as_the_runner_does(send: str) -> None:
    log = []

    async def main(env: Env) -> None:
        if send == "as SIGTERM":
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if send == "raise":
            signal.raise_signal(signal.SIGINT)
        else:
            env.signal(signal.SIGINT if send == "env" else signal.SIGTERM)
        try:
            await asyncio.sleep(3)
        finally:
            log.append(env.loop.time())

    with pytest.raises(asyncio.CancelledError):
        simulated(main)
    assert log == [1_000.0]


def test_receivers_of_anyio_hear_of_it() -> None:
    async def main(env: Env) -> list[signal.Signals]:
        heard = []
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as received:
            env.signal(signal.SIGHUP)
            env.signal(signal.SIGTERM)
            async for number in received:
                heard.append(number)
                if number == signal.SIGTERM:
                    break
        with pytest.raises(SignalDeath):
            env.signal(signal.SIGTERM)
        return heard

    assert simulated(main) == [signal.SIGHUP, signal.SIGTERM]


# --- the axis `signal` -----------------------------------------------------------------------------------


class Server:
    """Two workers at a queue: a main coroutine that ends when a signal comes.

    What is in hand is then finished, what waits is given up.

    Parameters:
        env: its environment.
        loses: whether a signal, and nothing else, costs what is in hand.
        installs: lets the handler be called.
    """

    def __init__(self, env: Env, installs: Callable[[Server], object], *, loses: bool = False) -> None:
        self.env, self.installs, self.loses = env, installs, loses
        self.items: asyncio.Queue[Any] = asyncio.Queue()
        self.db = env.dep("db")
        self.open = False
        self.told = asyncio.Event()
        env.app = self  # type: ignore[attr-defined]

    def handle(self, *_: Any) -> None:
        """Handle a signal."""
        self.told.set()

    async def work(self) -> None:
        """Work until there is nothing more."""
        while (item := await self.items.get()) is not None:
            await self.db(item)
            self.env.finish(item)

    async def serve(self) -> None:
        """Serve until a signal comes, or a cancellation."""
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self.work(), name=f"worker-{n}") for n in range(2)]
            await self.db("start")
            self.installs(self)
            self.open = True
            await self.told.wait()
            self.open = False
            while not self.items.empty():
                self.env.drop(self.items.get_nowait(), "stopped")
            for worker in workers:
                self.items.put_nowait(None)
                if self.loses:
                    worker.cancel()


def on_loop(server: Server) -> None:
    """Install the handler on the loop."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.handle)


def in_process(server: Server) -> None:
    """Install the handler in the process."""
    signal.signal(signal.SIGTERM, server.handle)


def nowhere(_: Server) -> None:
    """Install no handler."""


async def clean(env: Env) -> None:
    await Server(env, on_loop).serve()


async def clean_in_process(env: Env) -> None:
    await Server(env, in_process).serve()


async def loses(env: Env) -> None:
    await Server(env, on_loop, loses=True).serve()


async def load(_: Any, env: Env) -> None:
    """Hand in some items, one after the other, as long as the server is open."""
    await asyncio.sleep(0.02)
    for item in env.items(4):
        if env.app.open:  # type: ignore[attr-defined]
            env.app.items.put_nowait(env.accept(item))  # type: ignore[attr-defined]
        await asyncio.sleep(0.001)


def sweep_of(
    target: Any, handed: Any = load, *axes: str, kind: type[Sweep] = Sweep, seeds: Any = (0,)
) -> Sweep:
    """Return the sweep of a service."""
    return kind(maker(target), handed, "service", axes or ("signal",), seeds)


def told(report: StormReport) -> list[tuple[str, str]]:
    """Return the letter and the text of each cause."""
    return [(cause.oracle, cause.text) for cause in report.causes]


def handled(target: Any, handed: Any = load) -> list[int]:
    """Return the points at which a signal comes to a handler."""
    sweep = sweep_of(target, handed)
    with installed(sweep.primitives):
        plans = sweep.baseline(0).plans("signal", 0)
        return [outcome.plan.point for outcome in map(sweep.run, plans) if outcome.hit]


@pytest.mark.parametrize("target", [clean, clean_in_process])
def test_a_server_that_ends_in_order_is_clean(target: Any) -> None:
    report = sweep_of(target, seeds=range(3)).sweep()
    assert told(report) == []
    assert report.deterministic
    (axis,) = report.axes
    assert axis.ran == axis.planned == 3 * report.points
    assert axis.worst_drain > 0.0  # it finishes what is in hand


def test_a_signal_comes_where_somebody_handles_it() -> None:
    sweep = sweep_of(clean)
    points = sweep.sweep().points
    begun = next(n for n, step in enumerate(sweep.baseline(0).steps) if step.label == "clean@Server.serve+7")
    assert handled(clean) == list(range(begun + 1, points))


def test_a_handler_of_signal_is_called_at_the_point_itself() -> None:
    called = []

    async def main(env: Env) -> None:
        told = asyncio.Event()

        def handle(*_: Any) -> None:
            called.append(env.loop.point)
            told.set()

        signal.signal(signal.SIGTERM, handle)
        await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
        await told.wait()

    points = handled(main, None)
    assert len(points) > 4
    assert called == points


def test_work_that_is_lost_by_a_signal_is_found_and_replayed() -> None:
    report = sweep_of(loses).sweep()
    ((letter, text),) = told(report)
    assert (letter, text) == ("L", "item 0 was accepted and is lost")
    (axis,) = report.axes
    lost = sorted(point for point, mark in axis.marks.items() if mark == "L")
    steps = sweep_of(loses).baseline(0).steps
    first = next(n for n, step in enumerate(steps) if step.label == "load@load+6")
    last = max(n for n, step in enumerate(steps) if step.label == "worker-0@Server.work+3:woken")
    assert lost == list(range(first, last))  # from the first item on until the last one is done
    (cause,) = report.causes
    assert cause.token.split("@", 1) == ["signal", "load@load+2:woken~0"]
    again = [sweep_of(loses).replay(cause.token) for _ in range(3)]
    assert all([violation.text for violation in one.violations] == [text] for one in again)


def test_the_replay_tells_of_the_signal() -> None:
    from pytest_taskleak.storm.telling import replayed

    cause = sweep_of(loses).sweep().causes[0]
    report = replayed(sweep_of(loses), cause.token)
    assert (report.complete, told(report)) == (True, [("L", cause.text)])
    storm = report.story.lanes[0]  # type: ignore[union-attr]
    assert [event.text for event in storm.events if event.mark == "S"] == [
        f"SIGTERM, before point {cause.point}"
    ]


async def deaf(env: Env) -> None:
    """Handle a signal, and go on."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
    await asyncio.Event().wait()


async def slow(env: Env) -> None:
    """Take a minute to end."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()
    await asyncio.sleep(60)


async def raising(env: Env) -> None:
    """Fail at the end."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()
    raise LookupError("at the end")


async def tripping(env: Env) -> None:
    """Have a handler that fails."""
    signal.signal(signal.SIGTERM, lambda _: None)  # type: ignore[arg-type, misc]
    await asyncio.sleep(3_000)


async def leaving(env: Env) -> None:
    """End, and leave a task behind."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()
    env.task = asyncio.create_task(asyncio.sleep(60), name="left")  # type: ignore[attr-defined]


WRONG = [
    (deaf, "B", "nothing can wake anything any more"),
    (slow, "D", "the stop took longer than 10 s"),
    (raising, "E", "the service raised LookupError('at the end')"),
    (tripping, "E", "takes 1 positional argument but 2 were given"),
    (leaving, "T", "task 'left' at"),
]


@pytest.mark.parametrize(("target", "letter", "words"), WRONG)
def test_what_is_wrong_after_a_signal_is_found(target: Any, letter: str, words: str) -> None:
    report = sweep_of(target, None, "signal").sweep()
    found = [text for each, text in told(report) if each == letter]
    assert any(words in text for text in found), told(report)
    assert all(cause.axis == "signal" for cause in report.causes)


def leave(number: int, frame: Any) -> None:
    sys.exit(0)


def interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("handler", "on"),
    [
        (leave, "process"),
        (leave, "loop"),
        (interrupt, "process"),
        (interrupt, "loop"),
        (signal.default_int_handler, "process"),
    ],
)
def test_a_handler_that_ends_the_program_cancels_it(handler: Any, on: str) -> None:
    ends = []

    async def main(env: Env) -> None:
        loop = asyncio.get_running_loop()
        if on == "process":
            signal.signal(signal.SIGTERM, handler)
        else:
            loop.add_signal_handler(signal.SIGTERM, handler, 15, None)
        try:
            await asyncio.sleep(0.125)
            await asyncio.sleep(3_000)
        finally:
            ends.append(loop.time())

    class Service:
        async def start(self) -> None:
            self.task = asyncio.create_task(main(None))  # type: ignore[arg-type]

        async def stop(self) -> None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    for target in (main, Service):
        ends.clear()
        report = sweep_of(target, None).sweep()
        assert told(report) == []
        assert len(ends) == report.points + 2
        assert 1_000.125 in ends


def test_ctrl_c_in_a_handler_ends_the_sweep() -> None:
    async def main(env: Env) -> None:
        signal.signal(signal.SIGTERM, lambda *_: signal.default_int_handler(2, None))
        await asyncio.sleep(3_000)

    assert sweep_of(main, None).sweep().interrupted


def test_a_server_may_end_by_the_signal_that_it_has_handled() -> None:
    async def main(env: Env) -> None:
        heard: list[int] = []
        told = asyncio.Event()

        def handle(number: int, frame: Any) -> None:
            heard.append(number)
            told.set()

        before = signal.signal(signal.SIGTERM, handle)
        try:
            await told.wait()
        finally:
            signal.signal(signal.SIGTERM, before)
        for number in heard:
            signal.raise_signal(number)

    assert told(sweep_of(main, None, "signal", "stop").sweep()) == []

    async def asks(_: Any, env: Env) -> None:
        await asyncio.sleep(0.5)
        env.signal(signal.SIGTERM)

    assert told(sweep_of(main, asks, "signal", "stop", "cancel").sweep()) == []


def test_a_signal_of_its_own_that_nobody_handles_is_an_error_of_the_service() -> None:
    class Service:
        async def start(self) -> None:
            return

        async def stop(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    found = told(sweep_of(Service, None, "stop").sweep())
    assert [letter for letter, _ in found] == ["E", "I"]
    assert all("SIGTERM: nobody handles it" in text for _, text in found)


def test_an_axis_that_tries_nothing_is_refused() -> None:
    async def main(env: Env) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        await asyncio.sleep(3_000)

    with pytest.raises(ValueError, match=r"'signal': at none of the [0-9]+ moments SIGTERM is handled"):
        sweep_of(main, None).sweep()


class Stopping:
    """A service with `start` and `stop`, whose handler stops it as well."""

    again = False

    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.file = env.resource("file")
        self.tasks: set[asyncio.Task[None]] = set()
        self.stopping: asyncio.Future[None] | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.handle)
        self.file.open()
        await self.db("start")

    def handle(self) -> None:
        task = asyncio.create_task(self.stop(), name="by signal")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def stop(self) -> None:
        if self.stopping is None or self.again:
            self.stopping = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
            await self.db("stop")
            self.file.close()
            self.stopping.set_result(None)
        await self.stopping


class StoppingTwice(Stopping):
    again = True


def test_a_service_whose_handler_stops_it_is_stopped_once_more() -> None:
    assert told(sweep_of(Stopping, None, "stop", "signal").sweep()) == []
    report = sweep_of(StoppingTwice, None, "signal").sweep()
    assert ("U", "resource 'file' was closed twice") in told(report)


class HandledService(Service):
    """The reference service, with a handler that stops it."""

    async def start(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.handle)
        await super().start()

    def handle(self) -> None:
        """Stop it in a task of its own."""
        self.stop_by_signal = asyncio.ensure_future(self.stop())


def program_of(bug: str) -> Callable[[Env], Coroutine[Any, Any, None]]:
    """Return a main coroutine that runs the reference service until a signal comes."""

    async def main(env: Env) -> None:
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        env.app = service = Service(env, bug)  # type: ignore[attr-defined]
        await service.start()
        try:
            await told.wait()
        finally:
            await service.stop()

    return main


async def load_when_started(_: Any, env: Env) -> None:
    """Hand in what the reference service is loaded with."""
    await asyncio.sleep(0.1)
    if (app := getattr(env, "app", None)) is not None:
        await waited(submit_all(app, env))


@pytest.mark.parametrize("seed", range(3))
def test_the_reference_service_stands_it(seed: int) -> None:
    handled = sweep_of(lambda env: HandledService(env, ""), submit_all, seeds=(seed,)).sweep()
    program = sweep_of(program_of(""), load_when_started, seeds=(seed,)).sweep()
    assert told(handled) == told(program) == []
    assert min(handled.points, program.points) > 200


@pytest.mark.parametrize(("bug", "letter"), [("buffer-lost-on-cancel", "L"), ("closed-before-users", "C")])
def test_mistakes_of_the_reference_service_are_found(bug: str, letter: str) -> None:
    handled = sweep_of(lambda env: HandledService(env, bug), submit_all).sweep()
    program = sweep_of(program_of(bug), load_when_started).sweep()
    for report in (handled, program):
        assert {cause.oracle for cause in report.causes} == {letter}
        assert report.axes[0].failing < report.points / 2


def test_two_signals_while_it_ends() -> None:
    async def twice(_: Any, env: Env) -> None:
        await load(_, env)
        env.signal(signal.SIGTERM)
        await asyncio.sleep(0.001)
        env.signal(signal.SIGTERM)

    async def raising_at_the_second(env: Env) -> None:
        server = Server(env, on_loop)

        def handle() -> None:
            if server.told.is_set():
                raise LookupError("told twice")
            server.told.set()

        server.handle = handle  # type: ignore[method-assign]
        await server.serve()

    assert told(sweep_of(clean, twice, "signal").sweep()) == []
    found = told(sweep_of(raising_at_the_second, twice, "signal").sweep())
    assert any(letter == "E" and "told twice" in text for letter, text in found)


def test_the_fixture_sweeps_the_axis_and_replays_it(suite: Any) -> None:
    suite.write(
        """
        import asyncio, signal

        async def main(env):
            told, queue = asyncio.Event(), asyncio.Queue()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
            env.queue = queue

            async def work():
                while True:
                    item = await queue.get()
                    await asyncio.sleep(0.01)
                    env.finish(item)

            worker = asyncio.create_task(work(), name="worker")
            try:
                await told.wait()
            finally:
                worker.cancel()

        def load(service, env):
            queue = getattr(env, "queue", None)
            for item in range(3):
                if queue is not None:
                    queue.put_nowait(env.accept(item))

        def test_it(shutdown_storm):
            shutdown_storm.taskgroup(main, load, scenarios="signal")
        """
    )
    done = suite.run(process=True)
    assert done.failed() == [("test_it", "call")]
    assert "L accepted work lost" in done.out
    (token,) = set(re.findall(r"--taskleak-replay=(signal@\S+)", done.out))
    again = suite.run(f"--taskleak-replay={token}", process=True)
    assert again.failed() == [("test_it", "call")]
    assert f"the moment: {token}" in again.out


CTRL_C = """
import asyncio, os, signal

real = (os.kill,)  # as the user's terminal does it: from outside of the storm
made = []

async def main(env):
    told = asyncio.Event()
    signal.signal(signal.SIGINT, lambda *_: told.set())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    made.append(env)
    if len(made) == 10:
        real[0](os.getpid(), signal.SIGINT)
    for _ in range(20):
        await asyncio.sleep(0.01)
    await told.wait()

def test_it(shutdown_storm):
    shutdown_storm.taskgroup(main, scenarios="signal")
"""


def test_ctrl_c_ends_a_sweep_whatever_the_service_has_installed(suite: Any) -> None:
    suite.write(CTRL_C)
    done = suite.run(process=True)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    (far,) = re.findall(r"signal ([0-9]+)/[0-9]+", done.out)
    assert int(far) == 10 - 1 - 2  # the two runs without a trigger come first


# --- nothing of it is real -------------------------------------------------------------------------------


def caught() -> str:
    """Return which signals this process has handlers for, as the system sees it."""
    lines = STATUS.read_text(encoding="ascii").splitlines() if STATUS.exists() else []
    return "".join(line for line in lines if line.startswith(("SigCgt", "SigIgn", "SigBlk")))


def test_the_process_keeps_its_handlers() -> None:
    seen = []

    async def main(env: Env) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
            signal.signal(number, lambda *_: None)
            asyncio.get_running_loop().add_signal_handler(number, print)
        signal.siginterrupt(signal.SIGHUP, False)
        seen.append(caught())
        await asyncio.Event().wait()

    numbers = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
    before = [signal.getsignal(number) for number in numbers]
    functions = [vars(signal).copy(), vars(os).copy()]
    status = caught()
    report = sweep_of(main, None, "stop", "signal").sweep()
    assert {cause.oracle for cause in report.causes} == {"B"}  # it does not end
    assert all(a is b for a, b in zip(before, [signal.getsignal(n) for n in numbers], strict=True))
    assert [vars(signal), vars(os)] == functions
    assert set(seen) == {status}


def test_a_signal_to_the_real_process_comes_as_ever() -> None:
    heard: list[int] = []
    simulated_ones: list[int] = []

    async def main(_: Env) -> None:
        signal.signal(ONE, lambda number, _: simulated_ones.append(number))
        signal.raise_signal(ONE)

    before = signal.signal(ONE, lambda number, _: heard.append(number))
    try:
        with simulating():
            signal.raise_signal(ONE)
            in_memory(main)
            os.kill(os.getpid(), ONE)
    finally:
        signal.signal(ONE, before)
    assert (heard, simulated_ones) == ([ONE, ONE], [ONE])


def test_functions_that_a_module_holds_by_their_names_are_simulated_as_well() -> None:
    heard: list[int] = []

    async def main(_: Env) -> None:
        signal.signal(ONE, lambda number, _: heard.append(number))
        raise_by_name(ONE)
        kill_by_name(os.getpid(), ONE)

    before = raise_by_name, kill_by_name
    simulated(main)  # in life nobody handles it: that would be the end of the tests
    assert heard == [ONE, ONE]
    assert (raise_by_name, kill_by_name) == before == (signal.raise_signal, os.kill)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_a_forked_sweep_says_the_same() -> None:
    code = f"import {__name__} as t; t.in_forks()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def in_forks() -> None:
    """Compare forked sweeps with those from the beginning, in a process without other threads."""
    from pytest_taskleak.storm.forking import ForkedSweep

    async def kills(env: Env) -> None:
        server = Server(env, in_process)
        task = asyncio.current_task()

        def handle(*_: Any) -> None:
            if server.told.is_set():
                task.cancel()  # type: ignore[union-attr]
            else:
                server.told.set()
                os.kill(os.getpid(), signal.SIGTERM)  # of the child

        server.handle = handle  # type: ignore[method-assign]
        await server.serve()

    for target in (clean, loses, kills):
        plain = sweep_of(target).sweep()
        forked = sweep_of(target, kind=ForkedSweep).sweep()
        assert told(plain) == told(forked)
        assert [axis.marks for axis in plain.axes] == [axis.marks for axis in forked.axes]
        assert bool(plain.causes) == (target is not clean)


def test_a_service_that_handles_signals_goes_in_cycles() -> None:
    report = cycle(maker(Stopping), None, count=4, fresh=True)
    assert (report.outcome.violations, report.cycles) == ([], 4)

    async def signals(service: Any, env: Env) -> None:
        await load(service, env)
        env.signal(signal.SIGTERM)

    report = cycle(maker(clean), signals, count=4)
    assert report.outcome.violations == []
