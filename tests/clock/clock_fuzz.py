"""Does a timeout ever fire early?  `python tests/clock/clock_fuzz.py --programs N --seed S`.

Each program is a scenario of a few tasks that mix timers in virtual time with real sockets, threads, pools and
now and then a child process, while other processes keep the machine busy.  No timeout may fire while its work
is in flight, time must stand meanwhile, and whatever is in virtual time alone must take exactly its time.  What
fails is told with its seed, and runs alone with `--seed SEED --programs 1 --ways WAY --times 100`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import gc
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import scenarios
from operations import a_place
from scenarios import FAILURES, WAYS, Scenario, Tally, generate

from pytest_taskleak import FakeClock, FakeClockError
from pytest_taskleak.loops.external import External

BATCH = 50
"""Scenarios that share a loop."""
HANG_AFTER = 30.0
"""Real seconds after which the clock itself must say that work does not end."""
SOURCES = ("threads", "pools", "connections", "children")
BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"
COLUMNS = ("scenarios", "operations", "timers", "timeouts", *FAILURES, "jumps", "seconds")


# --- in one process -----------------------------------------------------------------------------------


def way_of(seed: int, ways: list[str]) -> str:
    """Return in which way a scenario runs."""
    return ways[seed // BATCH % len(ways)]


async def batch(found: list[Scenario], tally: Tally, state: int, given: argparse.Namespace) -> None:
    """Run scenarios of one way in the running loop.

    Parameters:
        found: the scenarios; those that were run are taken out.
        tally: gets what comes of them.
        state: descriptor of the file that tells which one runs.
        given: the options of the command.
    """
    first = found[0]
    older = first.seed // BATCH % 2  # whether servers and pool are older than the clock
    clock = FakeClock(**WAYS[first.way], hang_after=HANG_AFTER)
    async with contextlib.AsyncExitStack() as stack:
        places = a_place(outside=first.way == "freeze")
        if older:
            place = await stack.enter_async_context(places)
            await stack.enter_async_context(clock)
        else:
            await stack.enter_async_context(clock)
            place = await stack.enter_async_context(places)
        while found:
            os.pwrite(state, b"%020d" % found[0].seed, 0)
            faulthandler.dump_traceback_later(given.watchdog, exit=True)
            await scenarios.run(place, clock, found[0], tally)
            del found[0]
        tally.counts["jumps"] += clock.stats.jumps
        tally.waits.update({cause: round(ms) for cause, ms in clock.stats.real_wait_ms.items()})
        faulthandler.dump_traceback_later(given.watchdog, exit=True)  # to close all may hang, too


def run(found: list[Scenario], state: int, given: argparse.Namespace) -> Iterator[Tally]:
    """Run scenarios of one way, in as many loops as it takes."""
    factory = None
    if found[0].way == "uvloop":
        factory = importlib.import_module("uvloop").new_event_loop
    while found:
        tally, began = Tally(), time.perf_counter()
        try:
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(batch(found, tally, state, given))
        except FakeClockError as error:
            tally.fail("hung", found[0], f"{type(error).__name__}: {error}")
            del found[0]
        tally.counts["seconds"] += round(time.perf_counter() - began)
        yield tally


def here(given: argparse.Namespace) -> None:
    """Run scenarios in this process; print a line of JSON for each loop."""
    warnings.simplefilter("ignore", ResourceWarning)  # what a timeout has cut off is closed by the collector
    for name in given.blind:
        blind(name)
    state = os.open(given.state, os.O_WRONLY)
    ways, seed, end, parent = given.ways, given.seed, given.seed + given.programs, os.getppid()
    while seed < end and os.getppid() == parent:
        stop = min(end, (seed // BATCH + 1) * BATCH)
        way = way_of(seed, ways)
        for _ in range(given.times):
            for tally in run([generate(number, way) for number in range(seed, stop)], state, given):
                print(json.dumps({"way": way, **tally.plain()}), flush=True)
        seed = stop
        gc.collect()


def blind(name: str) -> None:
    """Let the clock not see one source of work, to try whether that is noticed."""
    look, quiet = External.look, External.quiet

    class Empty:
        """Sees nothing."""

        def look(self, time: Any) -> None:
            return None

        def quiet(self) -> bool:
            return True

    def without(external: Any, method: Any, *arguments: Any) -> Any:
        before, sources = getattr(external, name), external.sources
        setattr(external, name, Empty())
        external.sources = tuple(source for source in sources if source is not before)
        try:
            return method(external, *arguments)
        finally:
            setattr(external, name, before)
            external.sources = sources

    External.look = lambda self, time: without(self, look, time)  # type: ignore[method-assign]
    External.quiet = lambda self: without(self, quiet)  # type: ignore[method-assign]


# --- many processes -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Total:
    """What came of all."""

    ways: dict[str, Counter[str]] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)

    def add(self, line: dict[str, Any]) -> None:
        """Add what a job has printed."""
        self.ways.setdefault(line["way"], Counter()).update(line["counts"])
        self.kinds.update(line.get("kinds", {}))
        self.waits.update(line.get("waits", {}))
        self.stories += line["stories"]

    def failures(self) -> int:
        """Return how many there were."""
        return sum(counts[sort] for counts in self.ways.values() for sort in FAILURES)

    def told(self) -> str:
        """Return the table."""
        whole: Counter[str] = Counter()
        for counts in self.ways.values():
            whole.update(counts)
        rows = [[way, *(f"{counts[name]:,}" for name in COLUMNS)] for way, counts in self.ways.items()]
        rows = [["way", *COLUMNS], *rows, ["all", *(f"{whole[name]:,}" for name in COLUMNS)]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        failed = {
            kind.removesuffix(" failed"): n for kind, n in self.kinds.items() if kind.endswith(" failed")
        }
        lines += [f"  failed: {kind} {count} of {self.kinds[kind]}" for kind, count in failed.items()]
        waits = ", ".join(f"{cause} {ms / 1000:,.1f} s" for cause, ms in self.waits.most_common())
        return "\n".join([*lines, f"  time stood for {waits or 'nothing'}"])


class Job:
    """A process that runs a part of the scenarios; another one goes on where it dies."""

    def __init__(self, given: argparse.Namespace, first: int, count: int) -> None:
        self.given = given
        self.end = first + count
        self.total = Total()
        self.done = False
        self.state = tempfile.NamedTemporaryFile()  # noqa: SIM115 -- closed with the job
        self.out: IO[str]
        self.err: IO[str]
        self.process = self._start(first)

    def _start(self, first: int) -> subprocess.Popen[str]:
        given = self.given
        self.out = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed with the job
        self.err = tempfile.TemporaryFile("w+")  # noqa: SIM115
        os.pwrite(self.state.fileno(), b"%020d" % first, 0)
        command = [
            sys.executable,
            *(["-P"] if sys.flags.safe_path else []),
            __file__,
            "--state",
            self.state.name,
        ]
        command += ["--seed", str(first), "--programs", str(self.end - first), "--times", str(given.times)]
        command += ["--ways", *given.ways, "--watchdog", str(given.watchdog)]
        command += ["--blind", *given.blind] if given.blind else []
        return subprocess.Popen(command, stdout=self.out, stderr=self.err, text=True)

    def ended(self) -> bool:
        """Tell whether it has run all; begin anew behind a scenario that killed it."""
        if self.done:
            return True  # what it has printed was counted
        code = self.process.poll()
        if code is None:
            return False
        self._read()
        seed = int(os.pread(self.state.fileno(), 20, 0))
        if not code:
            self.done = True
            return True
        self.err.seek(0)
        scenario = generate(seed, way_of(seed, self.given.ways))
        text = f"hung: the process ended with {code}\n{scenario.told()}\n{self.err.read()[-8000:]}"
        self.total.add({"way": scenario.way, "counts": {"hung": 1}, "stories": [text]})
        if seed + 1 >= self.end:
            self.done = True
            return True
        self.process = self._start(seed + 1)
        return False

    def _read(self) -> None:
        self.out.seek(0)
        for line in self.out:
            self.total.add(json.loads(line))

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for file in (self.out, self.err, self.state):
            file.close()


def everywhere(given: argparse.Namespace) -> Total:
    """Run the scenarios in several processes, while others burn time."""
    share = -(-given.programs // given.jobs)
    total = Total()
    with contextlib.ExitStack() as stack:
        for _ in range(given.burners):
            burner = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", BURN]))
            stack.callback(burner.kill)
        jobs = []
        for first in range(given.seed, given.seed + given.programs, share):
            count = min(share, given.seed + given.programs - first)
            jobs.append(stack.enter_context(contextlib.closing(Job(given, first, count))))
        while not all([job.ended() for job in jobs]):  # noqa: C419 -- each is to be asked
            time.sleep(0.1)
        for job in jobs:
            for way, counts in job.total.ways.items():
                total.ways.setdefault(way, Counter()).update(counts)
            total.kinds.update(job.total.kinds)
            total.waits.update(job.total.waits)
            total.stories += job.total.stories
    return total


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    known = [way for way in WAYS if way != "uvloop" or importlib.util.find_spec("uvloop")]
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first program; the next has the next number"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes that run programs")
    parser.add_argument(
        "--burners", type=int, default=os.cpu_count() or 1, help="processes that keep the machine busy"
    )
    parser.add_argument(
        "--ways", nargs="+", choices=known, default=known, help="how the clock goes; each in its turn"
    )
    parser.add_argument("--times", type=int, default=1, help="run each program so many times")
    parser.add_argument("--watchdog", type=float, default=60.0, help="real seconds for one program")
    parser.add_argument(
        "--blind", nargs="+", choices=SOURCES, default=[], help="let the clock not see such work"
    )
    parser.add_argument("--show", action="store_true", help="print the programs, and run none")
    parser.add_argument("--state", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.show:
        for seed in range(given.seed, given.seed + given.programs):
            print(generate(seed, way_of(seed, given.ways)).told())
        return 0
    if given.state:
        here(given)
        return 0
    total = everywhere(given)
    order = {sort: number for number, sort in enumerate(reversed(FAILURES))}
    for story in sorted(total.stories, key=lambda story: order[story.partition(":")[0]])[:20]:
        print(story, file=sys.stderr)
    print(total.told())
    return 1 if total.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
