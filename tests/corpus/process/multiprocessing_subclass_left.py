# expect: TL401 test_leaves what=Worker.run born=made
# why: a class of its own with a run method
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
# with: end_children.py as conftest.py
import multiprocessing
import time

KEPT: list[object] = []
FORK = multiprocessing.get_context("fork")


class Worker(FORK.Process):
    def run(self) -> None:
        time.sleep(60)


def test_leaves() -> None:
    worker = Worker(daemon=True)
    worker.start()  # born:made
    KEPT.append(worker)


def test_neighbour() -> None:
    pass
