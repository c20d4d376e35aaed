# expect: clean
# why: the context manager waits, run_process too, and a cancelled one is killed
# runner: anyio trio
# needs: anyio, trio, posix
import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


async def test_with() -> None:
    async with await anyio.open_process(["cat"]) as process:
        assert process.stdin is not None
        await process.stdin.aclose()
        assert await process.wait() == 0


async def test_run() -> None:
    done = await anyio.run_process(["echo", "abc"])
    assert done.stdout == b"abc\n"


async def test_cancelled() -> None:
    with anyio.move_on_after(0.05):
        await anyio.run_process(["sleep", "60"])
