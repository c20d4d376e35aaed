# expect: TL711 test_statement what=work born=statement
# expect: TL711 test_local what=work born=local
# expect: TL711 CaseTest::test_method what=work born=method
# why: synchronous tests can forget as well
# runner: sync
import asyncio
import unittest


async def work() -> None:
    await asyncio.sleep(0)


def test_statement() -> None:
    work()  # born:statement


def test_local() -> None:
    unused = work()  # born:local


class CaseTest(unittest.TestCase):
    def test_method(self) -> None:
        unused = work()  # born:method


def test_awaits() -> None:
    asyncio.run(work())
