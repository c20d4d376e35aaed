# expect: TL303 fixture:*setUpClass* born=made on=ServiceTest::test_last
# why: made for the class, kept on it, never shut down
# runner: unittest
import unittest
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar


class ServiceTest(unittest.TestCase):
    pool: ClassVar[ThreadPoolExecutor]

    @classmethod
    def setUpClass(cls) -> None:
        cls.pool = ThreadPoolExecutor(1)  # born:made

    def test_first(self) -> None:
        self.assertEqual(self.pool.submit(len, "abc").result(), 3)

    def test_last(self) -> None:
        self.assertEqual(self.pool.submit(len, "ab").result(), 2)


class OtherTest(unittest.TestCase):
    def test_neighbour(self) -> None:
        self.assertTrue(True)
