# expect: clean
# why: a loop by hand whose tasks are cancelled and run to their end before it is closed
# runner: sync own loop
import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_with_fixture(loop: asyncio.AbstractEventLoop) -> None:
    loop.create_task(asyncio.sleep(3600))
    loop.run_until_complete(asyncio.sleep(0))


def test_by_itself() -> None:
    loop = asyncio.new_event_loop()
    task = loop.create_task(asyncio.sleep(3600))
    loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()
