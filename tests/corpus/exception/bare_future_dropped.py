# expect: TL701 test_loses born=here
# why: a future of the test's own, of which nobody asks the exception
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def test_loses() -> None:
    answer = asyncio.get_running_loop().create_future()
    answer.set_exception(ValueError("boom"))
    del answer  # born:here


async def test_asks() -> None:
    answer = asyncio.get_running_loop().create_future()
    answer.set_exception(ValueError("boom"))
    assert isinstance(answer.exception(), ValueError)


async def test_cancels() -> None:
    asyncio.get_running_loop().create_future().cancel()
