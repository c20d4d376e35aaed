# expect: TL301 ServiceTest::test_leaves what=work born=start
# why: a method of a plain TestCase
# runner: unittest
import threading
import unittest


def work(stop: threading.Event) -> None:
    stop.wait()


class ServiceTest(unittest.TestCase):
    def test_leaves(self) -> None:
        threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start

    def test_neighbour(self) -> None:
        self.assertTrue(True)
