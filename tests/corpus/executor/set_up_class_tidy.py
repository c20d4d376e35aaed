# expect: clean
# why: made in setUpClass, ended in tearDownClass, worked in the tests
# runner: unittest
import unittest
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar


class ServiceTest(unittest.TestCase):
    pool: ClassVar[ThreadPoolExecutor]

    @classmethod
    def setUpClass(cls) -> None:
        cls.pool = ThreadPoolExecutor(2)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.pool.shutdown()

    def test_first(self) -> None:
        self.assertEqual(self.pool.submit(len, "abc").result(), 3)

    def test_second(self) -> None:
        self.assertEqual(self.pool.submit(len, "ab").result(), 2)
