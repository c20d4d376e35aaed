"""The conftest of the package of package_fixture_orphan."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def broker() -> AsyncIterator[str]:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)
    yield "broker"
