"""Does a storm come to its end where the code under it would not let itself be ended at all?"""

from __future__ import annotations

import subprocess
import sys

CODE = """
import asyncio
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.sweep import Sweep


async def main(env):
    call = env.dep("db")

    async def child():
        while True:  # also when it is closed: then the call fails at once, and so on
            try:
                await call()
            except BaseException:
                pass

    asyncio.create_task(child())
    await asyncio.sleep(100)


print(*sorted({cause.oracle for cause in Sweep(maker(main), None, "main", ("stop",)).sweep().causes}))
"""


def test_a_coroutine_that_spins_when_it_is_closed() -> None:
    """The collector closes what it destroys: it must never come to that, at the end of Python neither."""
    line = [sys.executable, "-c", CODE]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["T"]
