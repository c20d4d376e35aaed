# expect: clean
# why: the test catches the warning itself
# runner: sync
import asyncio
import gc
import unittest
import warnings
from typing import Any

import pytest


async def work() -> None:
    await asyncio.sleep(0)


def test_warns() -> None:
    with pytest.warns(RuntimeWarning, match="never awaited"):
        work()


def test_warns_collected() -> None:
    with pytest.warns(RuntimeWarning, match="never awaited"):
        circle: list[Any] = [work()]
        circle.append(circle)
        del circle
        gc.collect()


def test_catches() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    assert len(caught) == 1


def test_recwarn(recwarn: pytest.WarningsRecorder) -> None:
    work()
    assert len(recwarn) == 1


class CaseTest(unittest.TestCase):
    def test_asserts(self) -> None:
        with self.assertWarns(RuntimeWarning):
            work()
