# expect: TL401 test_leaves what=cat born=made
# why: the session's loop lives on, the process too
# runner: pytest-asyncio session
# needs: pytest-asyncio, posix
import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")
KEPT: list[object] = []


async def test_leaves() -> None:
    KEPT.append(await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE))  # born:made


async def test_neighbour() -> None:
    await asyncio.sleep(0)
