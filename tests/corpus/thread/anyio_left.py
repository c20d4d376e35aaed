# expect: TL301 test_second what=work born=start
# why: the second test on the shared runner of the anyio plugin
# runner: anyio
# needs: anyio
import threading

import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def resource() -> str:
    return "resource"


def work(stop: threading.Event) -> None:
    stop.wait()


async def test_first(resource: str) -> None:
    await anyio.sleep(0)


async def test_second(resource: str) -> None:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start


async def test_third(resource: str) -> None:
    await anyio.sleep(0)
