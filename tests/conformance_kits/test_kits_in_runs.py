"""Do the contracts work in a watched run, outside of pytest, and on other people's services?"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.conformance.lifecycle_rules import LIFECYCLE
from pytest_taskleak.conformance.spawner_rules import SPAWNER
from pytest_taskleak.testing import ConformanceError, check_lifecycle, check_spawner

if TYPE_CHECKING:
    from tests.conftest import Suite
else:
    Suite = Any

ROOT = Path(__file__).resolve().parent.parent.parent
CODE = """
import asyncio

import pytest

from pytest_taskleak.testing import ConformanceError, check_lifecycle, check_spawner


def forget(coro):
    async def quiet():
        try:
            await coro
        except BaseException:
            pass

    asyncio.create_task(quiet())


class Forgets:
    async def start(self):
        await asyncio.sleep(0)
        self.tasks = [asyncio.create_task(self.poll()) for _ in range(2)]

    async def poll(self):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    async def stop(self):
        await asyncio.sleep(0)
        raise OSError("no")


def test_both():
    with pytest.raises(ConformanceError):
        check_spawner(forget)
    with pytest.raises(ConformanceError):
        check_lifecycle(Forgets, deadline=0.5)
"""


def test_bad_code_is_no_leak_of_the_test_that_tries_it(suite: Suite) -> None:
    suite.write(CODE, prelude="")
    done = suite.run("-W", "error", "-W", "ignore::pytest.PytestAssertRewriteWarning")
    assert done.counts == "1 passed", done.out


SLOW = """
import asyncio

import pytest

from pytest_taskleak.testing import ConformanceError, check_lifecycle


class Slow:
    task = None

    async def start(self):
        self.lock = getattr(self, "lock", None) or asyncio.Lock()
        async with self.lock:
            await asyncio.sleep(30)
            self.task = self.task or asyncio.create_task(asyncio.sleep(3600))

    async def stop(self):
        if self.task is not None:
            self.task.cancel()
            await asyncio.sleep(30)
            self.task = None


class Hangs(Slow):
    async def stop(self):
        await asyncio.sleep(3600)


def test_told(fake_clock):
    with pytest.raises(ConformanceError, match="LC8"):
        check_lifecycle(Slow, deadline=60)
    with pytest.raises(ConformanceError, match="did not return within 5 s"):
        check_lifecycle(Hangs)
"""


def test_on_the_fake_clock_slow_services_cost_no_time(suite: Suite) -> None:
    suite.write(SLOW, prelude="")
    begun = time.monotonic()
    done = suite.run()
    assert done.counts == "1 passed", done.out
    assert time.monotonic() - begun < 30


def test_they_work_outside_of_pytest(tmp_path: Path) -> None:
    script = tmp_path / "plain.py"
    script.write_text(
        CODE.replace("import pytest\n", "import contextlib\n").replace(
            "pytest.raises(ConformanceError)", "contextlib.suppress(ConformanceError)"
        )
        + "\ntest_both()\nprint('ok')\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_each_rule_has_its_place_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "testing.md").read_text(encoding="utf-8")
    rules = [*((c.code, c.title) for c in SPAWNER), *((c.code, c.title) for c in LIFECYCLE)]
    assert [f"({code.lower()})=\n\n### {code}: {title}\n" in page for code, title in rules] == [True] * 28


def test_a_runner_of_aiohttp_keeps_the_rules_of_its_kind() -> None:
    web = pytest.importorskip("aiohttp.web")

    def runner() -> Any:
        return web.AppRunner(web.Application())

    broken = []
    try:
        check_lifecycle(runner, start="setup", stop="cleanup")
    except ConformanceError as error:
        broken = [failure.rule for failure in error.failures]
    assert broken in ([], ["LC10"])  # aiohttp 3: two cleanup() at once


def test_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    tasks: set[Any] = set()

    def spawn(coro: Any, *, name: str | None = None) -> Any:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            coro.close()
            raise
        task = loop.create_task(coro, name=name or getattr(coro, "__qualname__", "no name"))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    check_spawner(spawn, loop_factory=uvloop.new_event_loop)
