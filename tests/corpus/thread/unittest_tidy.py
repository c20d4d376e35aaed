# expect: clean
# why: tearDownClass, addClassCleanup and addCleanup stop what was started
# runner: unittest
import threading
import unittest
from typing import ClassVar


class Service:
    def __init__(self) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.stop.wait)
        self.thread.start()

    def close(self) -> None:
        self.stop.set()
        self.thread.join()


class ServiceTest(unittest.TestCase):
    one: ClassVar[Service]
    two: ClassVar[Service]

    @classmethod
    def setUpClass(cls) -> None:
        cls.one = Service()
        cls.two = Service()
        cls.addClassCleanup(cls.two.close)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.one.close()

    def setUp(self) -> None:
        own = Service()
        self.addCleanup(own.close)

    def test_one(self) -> None:
        self.assertTrue(self.one.thread.is_alive())

    def test_two(self) -> None:
        with self.subTest("two"):
            self.assertTrue(self.two.thread.is_alive())
