"""A timeout never fires early because the clock jumped over a child process that is awaited."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from asyncio.base_subprocess import BaseSubprocessTransport
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_taskleak import FakeClock
from pytest_taskleak.loops.errors import ExternalWorkTimeout
from pytest_taskleak.loops.stats import Stats

SLOW = "import sys, time; time.sleep(0.05); print('hello'); sys.stdout.flush(); time.sleep(0.05); sys.exit(3)"
ENDLESS = "import time; time.sleep(600)"
CAT = "import sys, time; time.sleep(0.05); print(len(sys.stdin.read()))"
Story = Callable[[FakeClock], Awaitable[Any]]


def run(story: Story, **options: Any) -> Stats:
    """Run a story under a clock, and say what the clock did."""

    async def main() -> Stats:
        async with FakeClock(**options) as clock:
            await story(clock)
        return clock.stats

    return asyncio.run(main())


async def start(code: str, **options: Any) -> Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", code, **options)


async def end(process: Process) -> None:
    process.kill()
    await process.communicate()


def test_communicate_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        async with asyncio.timeout(1):
            process = await start(SLOW, stdout=PIPE)
            out, _ = await process.communicate()
        assert (out, process.returncode) == (b"hello\n", 3)

    assert run(story).real_wait["child"] > 0.05


def test_the_exit_alone_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        async with asyncio.timeout(1):
            process = await start(SLOW, stdout=subprocess.DEVNULL)
            assert await process.wait() == 3

    assert run(story).real_wait["child"] > 0.05


def test_a_line_of_its_output_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        async with asyncio.timeout(1):
            process = await start(SLOW, stdout=PIPE)
            assert process.stdout is not None
            assert await process.stdout.readline() == b"hello\n"
        async with asyncio.timeout(1):
            assert await process.stdout.read() == b""
            assert await process.wait() == 3

    assert run(story).real_wait["child"] > 0.05


def test_what_it_reads_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        async with asyncio.timeout(1):
            process = await start(CAT, stdin=PIPE, stdout=PIPE)
            assert process.stdin is not None
            process.stdin.write(bytes(1_000_000))
            await process.stdin.drain()
            out, _ = await process.communicate(b"")
        assert out == b"1000000\n"

    assert run(story).real_wait["child"] > 0.05


def test_a_line_that_another_task_reads_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        lines: asyncio.Queue[bytes] = asyncio.Queue()

        async def pump(process: Process) -> None:
            assert process.stdout is not None
            async for line in process.stdout:
                lines.put_nowait(line)

        async with asyncio.timeout(1):
            process = await start(SLOW, stdout=PIPE)
            pumping = asyncio.create_task(pump(process))
            assert await lines.get() == b"hello\n"
            await pumping
            await process.wait()

    run(story)


class Watching(asyncio.SubprocessProtocol):
    """A protocol as the documentation of asyncio has it."""

    def __init__(self, ended: asyncio.Future[None]) -> None:
        self.ended = ended

    def process_exited(self) -> None:
        self.ended.set_result(None)


@pytest.mark.parametrize("stream", [PIPE, subprocess.DEVNULL])
def test_a_protocol_of_ones_own_is_waited_for(stream: int) -> None:
    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        async with asyncio.timeout(1):
            transport, _ = await loop.subprocess_exec(
                lambda: Watching(ended),
                sys.executable,
                "-S",
                "-c",
                SLOW,
                stdin=None,
                stdout=stream,
                stderr=None,
            )
            await ended
        transport.close()
        await asyncio.sleep(0)

    assert run(story, io_grace=0.01).real_wait["child"] > 0.05


def test_a_child_that_is_older_than_the_clock_counts() -> None:
    async def main(stream: int) -> None:
        process = await start(SLOW, stdout=stream)
        async with FakeClock(), asyncio.timeout(1):
            if process.stdout is not None:
                assert await process.stdout.readline() == b"hello\n"
            assert await process.wait() == 3
        await process.communicate()

    asyncio.run(main(PIPE))
    asyncio.run(main(subprocess.DEVNULL))


@pytest.mark.parametrize("io", ["grace", "freeze"])
@pytest.mark.parametrize("stream", [PIPE, subprocess.DEVNULL])
def test_a_child_that_nobody_awaits_stops_no_time(stream: int, io: str) -> None:
    async def story(clock: FakeClock) -> None:
        process = await start(ENDLESS, stdout=stream)
        for _ in range(1_000):
            await asyncio.sleep(1)
        assert clock.elapsed == 1_000
        assert "child" not in clock.stats.real_wait
        await end(process)

    assert run(story, io=io).real_wait.get("peer", 0.0) < 5


def test_an_endless_child_is_named() -> None:
    found = []

    async def story(clock: FakeClock) -> None:
        process = await start(ENDLESS, stdout=PIPE)
        found.append(process.pid)
        try:
            async with asyncio.timeout(60):
                await process.communicate()
        finally:
            await end(process)

    with pytest.raises(ExternalWorkTimeout) as caught:
        run(story, hang_after=0.2)
    text = r"process (\d+) \(python\S* -S -c \.\.\.\) is awaited by task 'Task-\d+' at test_children\.py:\d+"
    match = re.search(text, str(caught.value))
    assert match, str(caught.value)
    assert int(match[1]) == found[0]


def test_one_that_is_ignored_stops_no_time() -> None:
    async def story(clock: FakeClock) -> None:
        process = await start(ENDLESS)
        clock.ignore(process)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await process.wait()
        assert clock.elapsed == 60
        assert "child" not in clock.stats.real_wait
        await end(process)  # that is waited for: nobody waits for a time

    run(story)


def test_every_method_is_put_back() -> None:
    kind: Any = BaseSubprocessTransport

    async def story(clock: FakeClock) -> None:
        assert dict(vars(kind)) != before

    before = dict(vars(kind))
    run(story)
    assert dict(vars(kind)) == before
