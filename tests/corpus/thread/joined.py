# expect: clean
# why: started and joined by the test, from sync and async code
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import threading


def nothing() -> None: ...


def test_sync() -> None:
    thread = threading.Thread(target=nothing)
    thread.start()
    thread.join()


async def test_async() -> None:
    thread = threading.Thread(target=nothing, daemon=True)
    thread.start()
    thread.join()
