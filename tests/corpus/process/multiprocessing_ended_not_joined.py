# expect: TL402 test_leaves what=int born=made
# why: it has ended, and nobody joins it
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import multiprocessing
from multiprocessing.connection import wait

KEPT: list[object] = []


def test_leaves() -> None:
    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()  # born:made
    KEPT.append(process)
    wait([process.sentinel])


def test_neighbour() -> None:
    pass
