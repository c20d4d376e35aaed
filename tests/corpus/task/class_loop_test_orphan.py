# expect: TL101 TestService::test_leaves what=forever born=here
# why: the loop of a class
# runner: pytest-asyncio class
# needs: pytest-asyncio
import asyncio

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.mark.asyncio(loop_scope="class")
class TestService:
    async def test_leaves(self) -> None:
        asyncio.create_task(forever())  # born:here
        await asyncio.sleep(0)

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_after_the_class() -> None:
    await asyncio.sleep(0)
