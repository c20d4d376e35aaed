# expect: TL401 test_leaves what=sleep born=made
# why: the module's loop lives on, the process too
# runner: pytest-asyncio module
# needs: pytest-asyncio, posix
import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEPT: list[object] = []


async def test_leaves() -> None:
    KEPT.append(await asyncio.create_subprocess_shell("sleep 60"))  # born:made


async def test_neighbour() -> None:
    await asyncio.sleep(0)
