# expect: TL634 test_drops what=stop born=here severity=note
# why: asyncio.run removes the handlers of its loop: worth a note, nothing is left behind
# runner: asyncio.run
# needs: posix
import asyncio
import signal


def stop() -> None:
    pass


async def drop() -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)  # born:here


async def remove() -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    await asyncio.sleep(0)
    loop.remove_signal_handler(signal.SIGTERM)


def test_drops() -> None:
    asyncio.run(drop())


def test_removes() -> None:
    asyncio.run(remove())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
