# expect: TL201 fixture:session what=Session.expire on=test_uses
# why: set in the setup of a function fixture
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


class Session:
    def __init__(self) -> None:
        asyncio.get_running_loop().call_later(3600, self.expire)

    def expire(self) -> None: ...


@pytest.fixture
async def session() -> Session:
    return Session()


async def test_uses(session: Session) -> None:
    assert session


async def test_neighbour() -> None:
    await asyncio.sleep(0)
