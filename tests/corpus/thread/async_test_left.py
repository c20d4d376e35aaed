# expect: TL301 test_leaves what=work born=start
# why: started inside a coroutine of the test
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import threading


def work(stop: threading.Event) -> None:
    stop.wait()


async def begin() -> None:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start


async def test_leaves() -> None:
    await asyncio.create_task(begin())


async def test_neighbour() -> None:
    await asyncio.sleep(0)
