# expect: clean
# why: the loop that get_event_loop() makes for the main thread is the process's, not the test's
# runner: sync own loop
# args: -W ignore::DeprecationWarning
import asyncio
import sys


def test_uses_the_implicit_loop() -> None:
    if sys.version_info < (3, 14):
        loop = asyncio.get_event_loop()
        loop.run_until_complete(asyncio.sleep(0))


def test_uses_it_again() -> None:
    if sys.version_info < (3, 14):
        assert not asyncio.get_event_loop().is_closed()
