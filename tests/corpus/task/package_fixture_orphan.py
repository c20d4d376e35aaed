# expect: TL101 fixture:broker what=forever born=here on=test_last_of_package
# why: a package-scoped fixture ends with its package; the module after it has nothing to do with it
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
# with: package_init.py as a_package/__init__.py
# with: package_broker.py as a_package/conftest.py
# with: package_first.py as a_package/test_first.py
# with: package_second.py as a_package/test_second.py
import asyncio


async def test_after_the_package() -> None:
    await asyncio.sleep(0)


async def test_last() -> None:
    await asyncio.sleep(0)
