"""What does the watch cost?  `python tests/perf/overhead.py [--quick] [--peers] [--json FILE]`.

Whole runs differ by more than the watch costs.  So one session of pytest runs some thousand tests, the
watch is switched on and off every hundred (off: no hooks, no patches, no owner), each test's protocol is
timed, and low percentiles of the two populations are compared: repeatable to about a microsecond, on a
busy machine too.  Times are printed, never asserted; the exit status tells only of what is counted:
patches while off, waits and collections in clean tests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BLOCK = 100
"""Tests between two switches, and in one file."""
WARM_UP = 10
"""Tests after a switch that do not count: the interpreter specialises its code anew."""
EDGE = 2000
"""Tests at each end of a long session, between which the cost of one test may not grow."""
MANY = 1000
"""Tasks in one test, where tasks are counted."""

ASYNCIO = "pytest_asyncio.plugin"
ANYIO = "anyio.pytest_plugin"
TASKLEAK = "pytest_taskleak.plugin"
WATCH_MODES = {"without": (), "off": ("-p", TASKLEAK), "on": ("-p", TASKLEAK, "--taskleak")}


@dataclass(frozen=True)
class Suite:
    """Many copies of one test.

    Parameters:
        title: what the table says.
        head: the top of each file.
        test: one test; `{n}` is its number.
        plugins: what pytest loads, besides the watch.
        tests: how many; `quick` with `--quick`.
        budget: microseconds that may be added, where that was promised.
        share: ratio that may be reached, where that was promised.
    """

    title: str
    head: str
    test: str
    plugins: tuple[str, ...] = (ASYNCIO,)
    tests: int = 4000
    quick: int = 1200
    budget: float | None = None
    share: float | None = None


HEAD = "import asyncio\n\nimport pytest\n\n\nasync def nothing():\n    pass\n"
TWO_FIXTURES = (
    "\n\n@pytest.fixture\ndef one():\n    return 1\n\n\n@pytest.fixture\ndef two(one):\n    return one\n"
)
ASYNC_FIXTURE = "\n\n@pytest.fixture\nasync def value():\n    await asyncio.sleep(0)\n    yield 1\n"
BACKEND = (
    "\n\npytestmark = pytest.mark.anyio\n\n\n"
    "@pytest.fixture(scope='module')\ndef anyio_backend():\n    return 'asyncio'\n"
)
MODULE_LOOP = "\n\npytestmark = pytest.mark.asyncio(loop_scope='module')\n"

SUITES = {
    "sync": Suite("sync, trivial", HEAD, "def test_{n}():\n    pass\n", budget=10, share=1.05),
    "fixtures": Suite("sync, 2 plain fixtures", HEAD + TWO_FIXTURES, "def test_{n}(two):\n    pass\n"),
    "async": Suite(
        "async, function loop, trivial", HEAD, "async def test_{n}():\n    pass\n", budget=36, share=1.08
    ),
    "module": Suite("async, module loop, trivial", HEAD + MODULE_LOOP, "async def test_{n}():\n    pass\n"),
    "gather": Suite(
        "async + async fixture + gather of 10",
        HEAD + ASYNC_FIXTURE,
        "async def test_{n}(value):\n    await asyncio.gather(*(nothing() for _ in range(10)))\n",
    ),
    "anyio": Suite(
        "anyio, trivial", HEAD + BACKEND, "async def test_{n}():\n    pass\n", plugins=(ASYNCIO, ANYIO)
    ),
}

IN_SITU = {
    "one by one": Suite(
        f"{MANY} tasks one after another",
        HEAD,
        "async def test_{n}():\n"
        f"    for _ in range({MANY}):\n        await asyncio.get_running_loop().create_task(nothing())\n",
        tests=800,
        quick=400,
    ),
    "at once": Suite(
        f"{MANY} tasks at once",
        HEAD,
        f"async def test_{{n}}():\n    await asyncio.gather(*(nothing() for _ in range({MANY})))\n",
        tests=800,
        quick=400,
    ),
}
TASK_BUDGET = 1.5


# --- in the child process -----------------------------------------------------------------------


class Meter:
    """Times every test, and switches the watch between blocks, but for `middle`, where it stays on."""

    def __init__(self, middle: range) -> None:
        self.middle = middle
        self.index = 0
        self.on = True
        self.hooks: Any = None
        self.times: list[tuple[bool, int]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        position = self.index % BLOCK
        if position == 0:
            self.switch(item.config, on=self.index // BLOCK % 2 == 1 or self.index in self.middle)
        self.index += 1
        begin = time.perf_counter_ns()
        result = yield
        taken = time.perf_counter_ns() - begin
        if position >= WARM_UP and self.index not in self.middle:
            self.times.append((self.on, taken))
        return result

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.switch(session.config, on=True)  # the plugin's own end expects it

    def switch(self, config: pytest.Config, *, on: bool) -> None:
        """Register the hooks and begin to watch, or the reverse: nothing of it is left."""
        if on is self.on:
            return
        from pytest_taskleak.engine.closing import begin
        from pytest_taskleak.state import WATCH

        manager, watch = config.pluginmanager, config.stash[WATCH]
        if on:
            watch.awake = True
            begin(watch)
            manager.register(self.hooks, "taskleak-hooks")
        else:
            self.hooks = manager.unregister(name="taskleak-hooks")
            watch.stop()
        self.on = on


class Counter:
    """Counts what a clean test must not pay for: waits, and collections that were asked for."""

    def __init__(self) -> None:
        self.waits = 0
        self.collections = 0
        self.tests = 0
        self.inside = False

    def install(self) -> None:
        """Count from now on.  With automatic collections off, each one was asked for by somebody."""
        from pytest_taskleak import timing
        from pytest_taskleak.detectors import built_in

        timing.pause = self.counted(timing.pause)
        for detector in built_in():
            setattr(detector, "wait", self.counted(detector.wait))  # noqa: B010 - a method, for mypy
        package = os.path.dirname(os.path.abspath(timing.__file__))

        def collecting(phase: str, _info: dict[str, int]) -> None:
            caller = sys._getframe(1)
            if self.inside and phase == "start" and caller.f_code.co_filename.startswith(package):
                self.collections += 1

        gc.disable()
        gc.callbacks.append(collecting)

    def counted(self, original: Callable[..., None]) -> Callable[..., None]:
        def wait(*args: Any) -> None:
            self.waits += 1
            original(*args)

        return wait

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.tests += 1
        self.inside = True
        try:
            return (yield)
        finally:
            self.inside = False  # at the end of a session one collection is made, and meant


PATCHED_LATE = (
    "anyio._backends._asyncio",
    "concurrent.futures.process",
    "concurrent.futures.thread",
    "unittest.async_case",
    "uvloop",
)
"""Modules that must be loaded before they can be seen to be patched."""


class Attributes:
    """Every attribute of what could be patched, by identity."""

    WATCHED = (
        "asyncio",
        "concurrent.futures",
        "multiprocessing",
        "threading",
        "uvloop",
        "warnings",
        "_thread",
        "anyio",
        "selectors",
        "signal",
        "socket",
        "subprocess",
        "time",
        "unittest",
    )

    def __init__(self) -> None:
        self.seen = dict(self.read())

    def read(self) -> Iterator[tuple[tuple[str, str, str], object]]:
        """Yield ((module, class, attribute), value) of the modules that are loaded."""
        for name, module in list(sys.modules.items()):
            if not name.startswith(self.WATCHED) or not isinstance(module, ModuleType):
                continue
            for attribute, value in list(vars(module).items()):
                if callable(value):
                    yield (name, "", attribute), value
                if isinstance(value, type) and value.__module__ == name:
                    for own, member in list(vars(value).items()):
                        if callable(member):
                            yield (name, value.__qualname__, own), member

    def changed(self) -> list[str]:
        """Return the names of what was replaced or added since; modules loaded since do not count."""
        before = self.seen
        modules = {module for module, *_ in before}
        return sorted(
            ".".join(filter(None, key))
            for key, value in self.read()
            if key[0] in modules and before.get(key) is not value
        )


class Inspector:
    """Looks for replaced attributes while a test runs."""

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.changed: list[str] = []

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self.changed = self.attributes.changed()


def run_pytest(folder: str, suite: Suite, *options: str, plugins: list[object]) -> None:
    """Run the suite that lies in `folder` in this process; it must pass."""
    loaded = [word for name in suite.plugins for word in ("-p", name)]
    arguments = [folder, "-q", "-c", f"{folder}/pytest.ini", "-p", "no:cacheprovider", *loaded, *options]
    if pytest.main(arguments, plugins=plugins) != 0:
        raise SystemExit("a suite of the benchmark does not pass")


def child_times(folder: str, suite: Suite, middle: range) -> list[tuple[bool, int]]:
    """Return whether it was watched, and its nanoseconds, of each test."""
    meter = Meter(middle)
    run_pytest(folder, suite, *WATCH_MODES["on"], plugins=[meter])
    return meter.times


def child_counts(folder: str, suite: Suite) -> dict[str, int]:
    """Return the waits and collections of the plugin in a run of clean tests."""
    counter = Counter()
    counter.install()
    run_pytest(folder, suite, *WATCH_MODES["on"], plugins=[counter])
    return {"tests": counter.tests, "waits": counter.waits, "collections": counter.collections}


def child_patches(folder: str, suite: Suite, mode: str) -> dict[str, list[str]]:
    """Return what is replaced while a test runs, and what afterwards."""
    for name in PATCHED_LATE:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    attributes = Attributes()
    inspector = Inspector(attributes)
    run_pytest(folder, suite, *WATCH_MODES[mode], plugins=[inspector])
    return {"during": inspector.changed, "after": attributes.changed()}


def child_tasks(rounds: int) -> dict[str, float]:
    """Return microseconds for each task, watched and not: create and await an empty coroutine."""
    from pytest_taskleak.detectors import built_in
    from pytest_taskleak.engine.closing import begin
    from pytest_taskleak.engine.owner import Scope
    from pytest_taskleak.engine.watch import Watch
    from pytest_taskleak.judge.policy import Policy

    async def nothing() -> None:
        pass

    async def make(count: int) -> int:
        loop = asyncio.get_running_loop()
        start = time.perf_counter_ns()
        for _ in range(count):
            await loop.create_task(nothing())
        return time.perf_counter_ns() - start

    best = {"on": float("inf"), "off": float("inf")}
    loop = asyncio.new_event_loop()
    for number in range(2 * rounds):
        mode = "on" if number % 2 else "off"
        watch = Watch(built_in(), Policy(detect=frozenset(d.kind for d in built_in())))
        if mode == "on":
            begin(watch)
            watch.enter(Scope("block", "benchmark", watch=watch))
        try:
            loop.run_until_complete(make(200))
            taken = loop.run_until_complete(make(2000)) / 2000 / 1000
        finally:
            if mode == "on":
                watch.stop()
        best[mode] = min(best[mode], taken)
    loop.close()
    return best


# --- in the parent ------------------------------------------------------------------------------


def write_suite(folder: Path, suite: Suite, tests: int, head: str = "") -> None:
    """Write the tests, a hundred to a file."""
    folder.mkdir()
    folder.joinpath("pytest.ini").write_text(
        "[pytest]\nasyncio_mode = " + ("strict" if ANYIO in suite.plugins else "auto") + "\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )
    for number in range(0, tests, BLOCK):
        body = "\n\n".join(suite.test.replace("{n}", str(n)) for n in range(min(BLOCK, tests - number)))
        folder.joinpath(f"test_{number // BLOCK:03}.py").write_text(f"{suite.head}{head}\n\n{body}")


def clean_environment() -> dict[str, str]:
    """Return an environment in which nothing but the suite's plugins takes part."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TASKLEAK", "PYTHONASYNCIO"))}
    return {**mine, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONHASHSEED": "0"}


def in_child(what: str, suite: Suite, tests: int, mode: str = "") -> Any:
    """Run one measurement in a process of its own, and return what it says."""
    names = {id(s): name for name, s in {**SUITES, **IN_SITU}.items()}
    with tempfile.TemporaryDirectory() as parent:
        folder, answer = Path(parent, "suite"), Path(parent, "answer.json")
        write_suite(folder, suite, tests)
        words = [what, names[id(suite)], mode, str(folder), str(answer), str(tests)]
        done = subprocess.run(
            [sys.executable, os.path.abspath(__file__), "--child", *words],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{what} of {suite.title!r} failed:\n{done.stdout[-4000:]}")
        return json.loads(answer.read_text())


def child(what: str, name: str, mode: str, folder: str, answer: str, tests: str) -> None:
    """Do what `in_child` asked for."""
    suite = {**SUITES, **IN_SITU}[name]
    found: object
    if what == "times":
        found = child_times(folder, suite, range(0))
    elif what == "growth":
        found = child_times(folder, suite, range(EDGE, int(tests) - EDGE))
    elif what == "counts":
        found = child_counts(folder, suite)
    elif what == "patches":
        found = child_patches(folder, suite, mode)
    else:
        found = child_tasks(int(tests))
    Path(answer).write_text(json.dumps(found))


def low(times: list[tuple[bool, int]], *, on: bool) -> float:
    """Return the tenth percentile, in microseconds, of what was watched or of what was not."""
    return statistics.quantiles([taken for watched, taken in times if watched is on], n=10)[0] / 1000


@dataclass(frozen=True)
class Row:
    """One line of the table; microseconds."""

    what: str
    base: float
    added: float
    budget: float | None = None
    share: float | None = None

    @property
    def ratio(self) -> float:
        return (self.base + self.added) / self.base

    def __str__(self) -> str:
        promised = []
        if self.share is not None:
            promised.append(f"{self.share}x")
        if self.budget is not None:
            promised.append(f"{self.budget:g} µs")
        promise = " / ".join(promised) or "-"
        return f"| {self.what} | {self.base:.1f} | {self.added:+.2f} | {self.ratio:.3f}x | {promise} |"


def measure(suite: Suite, tests: int, parts: int = 1) -> Row:
    """Return what the watch adds to one test, or to each of its `parts`."""
    times = in_child("times", suite, tests)
    on, off = low(times, on=True) / parts, low(times, on=False) / parts
    return Row(suite.title, off, on - off, suite.budget, suite.share)


def replaced() -> dict[str, list[str]]:
    """Return the attributes that the plugin replaces; those that pytest replaces itself do not count."""
    found = {mode: in_child("patches", SUITES["async"], 1, mode) for mode in WATCH_MODES}
    own = set(found["without"]["during"])
    return {
        "while off": [name for name in found["off"]["during"] if name not in own],
        "while on": [name for name in found["on"]["during"] if name not in own],
        "after": found["on"]["after"],
    }


def growth(suite: Suite, tests: int) -> float:
    """Return microseconds by which the watch adds more to a test at the end of a long session.

    The watch is on all the time, but for every second block at both ends: machines change their speed
    by more than this within a session, and by much more from one to the next.
    """
    times = in_child("growth", suite, tests)
    half = len(times) // 2
    first, last = (low(part, on=True) - low(part, on=False) for part in (times[:half], times[half:]))
    return last - first


@dataclass(frozen=True)
class Peer:
    """Another plugin, run over whole processes."""

    title: str
    distribution: str
    version: str
    plugin: str
    options: tuple[str, ...] = ()
    head: str = ""
    repeat: int = 5

    def present(self) -> bool:
        """Tell whether the interpreter has it, in the version that was measured elsewhere."""
        if not self.distribution:
            return True
        try:
            return importlib.metadata.version(self.distribution) == self.version
        except importlib.metadata.PackageNotFoundError:
            return False


PEERS = (
    Peer("none", "", "", ""),
    Peer("pytest-taskleak", "", "", TASKLEAK, ("--taskleak",)),
    Peer("pytest-threadleak 0.5.0", "pytest-threadleak", "0.5.0", "pytest_threadleak", ("--threadleak",)),
    Peer(
        "pyleak 0.2.0",
        "pyleak",
        "0.2.0",
        "pyleak.pytest_plugin",
        head="\n\npytestmark = pytest.mark.no_leaks\n",
        repeat=1,
    ),
)


def whole_process(peer: Peer, suite: Suite, tests: int) -> tuple[float, float]:
    """Return (wall, CPU) seconds of whole runs: the medians."""
    walls, spent = [], []
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "suite")
        write_suite(folder, suite, tests, peer.head)
        plugins = [*suite.plugins, *filter(None, [peer.plugin])]
        loaded = [word for name in plugins for word in ("-p", name)]
        command = [sys.executable, "-m", "pytest", str(folder), "-q", "-c", f"{folder}/pytest.ini", *loaded]
        for _ in range(peer.repeat):
            before, begin = os.times(), time.monotonic()
            subprocess.run(
                [*command, "-p", "no:cacheprovider", *peer.options],
                env=clean_environment(),
                stdout=subprocess.DEVNULL,
                check=True,
            )
            walls.append(time.monotonic() - begin)
            after = os.times()
            user = after.children_user - before.children_user
            spent.append(user + after.children_system - before.children_system)
    return statistics.median(walls), statistics.median(spent)


def compare_peers(tests: int) -> list[dict[str, Any]]:
    """Print whole-process ratios beside the peers that are installed; return them."""
    rows: list[dict[str, Any]] = []
    print(f"\n{tests} trivial tests, whole processes, start included:\n")
    print("| plugin | suite | wall s | CPU s | wall | CPU |\n|---|---|---|---|---|---|")
    for suite in (SUITES["sync"], SUITES["async"]):
        base = (1.0, 1.0)
        for peer in PEERS:
            if not peer.present():
                print(f"| {peer.title} | {suite.title} | not installed | - | - | - |")
                continue
            wall, cpu = whole_process(peer, suite, tests)
            if not peer.plugin:
                base = (wall, cpu)
            ratios = (wall / base[0], cpu / base[1])
            print(
                f"| {peer.title} | {suite.title} | {wall:.2f} | {cpu:.2f} | {ratios[0]:.2f}x | {ratios[1]:.2f}x |",
                flush=True,
            )
            rows.append({"plugin": peer.title, "suite": suite.title, "wall": wall, "cpu": cpu})
    return rows


def where() -> str:
    """Say on what it was measured."""
    versions = [f"pytest {importlib.metadata.version('pytest')}"]
    for name in ("pytest-asyncio", "anyio"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return f"{platform.python_implementation()} {platform.python_version()}, {', '.join(versions)}; {machine}"


def cost_table(*, quick: bool) -> list[Row]:
    """Measure and print what is timed."""
    rows: list[Row] = []
    print(f"Measured on {where()}.\n")
    print("| what | without, µs | added, µs | ratio | promised |\n|---|---|---|---|---|")

    def add(row: Row) -> None:
        rows.append(row)
        print(row, flush=True)

    for suite in SUITES.values():
        if ANYIO not in suite.plugins or importlib.util.find_spec("anyio") is not None:
            add(measure(suite, suite.quick if quick else suite.tests))
    best = in_child("tasks", SUITES["sync"], 30 if quick else 100)
    add(Row("a task, alone", best["off"], best["on"] - best["off"], TASK_BUDGET))
    for suite in IN_SITU.values():
        row = measure(suite, suite.quick if quick else suite.tests, parts=MANY)
        add(Row(f"a task, {suite.title} in a test", row.base, row.added, TASK_BUDGET))
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 1 if something that is counted is not 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="fewer tests: enough to see a large change")
    parser.add_argument(
        "--peers", action="store_true", help="run 1000 tests under other plugins too (minutes)"
    )
    parser.add_argument("--json", metavar="FILE", help="write what was found to a file as well")
    parser.add_argument("--child", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        child(*given.child)
        return 0

    rows = cost_table(quick=given.quick)
    many = 2 * EDGE + (1000 if given.quick else 6000)
    drifts = {name: growth(SUITES[name], many) for name in ("sync", "async")}
    for name, drift in drifts.items():
        print(f"\nGrowth over {many} tests ({SUITES[name].title}): {drift:+.2f} µs a test.", end="")
    counts = {name: in_child("counts", suite, 200) for name, suite in SUITES.items()}
    total = {key: sum(count[key] for count in counts.values()) for key in ("tests", "waits", "collections")}
    print(f"\n\nIn {total['tests']} clean tests: {total['waits']} waits, {total['collections']} collections.")
    patches = replaced()
    print(
        "Attributes replaced: " + ", ".join(f"{len(names)} {when}" for when, names in patches.items()) + "."
    )
    peers = compare_peers(100 if given.quick else 1000) if given.peers else []
    if given.json:
        found = {
            "where": where(),
            "rows": [{"what": r.what, "base": r.base, "added": r.added, "ratio": r.ratio} for r in rows],
            "growth": drifts,
            "counts": counts,
            "patches": patches,
            "peers": peers,
        }
        Path(given.json).write_text(json.dumps(found, indent=1) + "\n")
    return 1 if total["waits"] + total["collections"] or patches["while off"] or patches["after"] else 0


if __name__ == "__main__":
    sys.exit(main())
