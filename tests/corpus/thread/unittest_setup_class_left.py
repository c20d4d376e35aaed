# expect: TL301 fixture:*setUpClass* what=work born=start on=ServiceTest::test_last
# why: setUpClass starts it for the class, tearDownClass is missing
# runner: unittest
import threading
import unittest


def work(stop: threading.Event) -> None:
    stop.wait()


class ServiceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start

    def test_first(self) -> None:
        self.assertTrue(True)

    def test_last(self) -> None:
        self.assertTrue(True)


class OtherTest(unittest.TestCase):
    def test_neighbour(self) -> None:
        self.assertTrue(True)
