# expect: TL711 test_other_filter what=work born=here
# why: a filter says that the warning is unwanted; one for another warning says nothing
# runner: sync
import asyncio
import warnings

import pytest


async def work() -> None:
    await asyncio.sleep(0)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_message() -> None:
    work()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_category() -> None:
    work()


def test_in_the_code() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work()


@pytest.mark.filterwarnings("ignore:something else")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_filter() -> None:
    work()  # born:here


def test_awaits() -> None:
    asyncio.run(work())
