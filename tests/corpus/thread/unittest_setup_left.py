# expect: TL301 ServiceTest::test_one what=work born=start
# expect: TL301 ServiceTest::test_two what=work born=start
# why: setUp runs as a part of each test
# runner: unittest
import threading
import unittest


def work(stop: threading.Event) -> None:
    stop.wait()


class ServiceTest(unittest.TestCase):
    def setUp(self) -> None:
        threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start

    def test_one(self) -> None:
        self.assertTrue(True)

    def test_two(self) -> None:
        self.assertTrue(True)


class OtherTest(unittest.TestCase):
    def test_neighbour(self) -> None:
        self.assertTrue(True)
