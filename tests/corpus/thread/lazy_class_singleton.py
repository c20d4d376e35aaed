# expect: clean
# why: the daemon worker is kept in a class attribute of the helper module
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
# with: lazy_tracer.py
import lazy_tracer


async def test_first() -> None:
    lazy_tracer.Tracer.trace("a")


async def test_second() -> None:
    lazy_tracer.Tracer.trace("b")
