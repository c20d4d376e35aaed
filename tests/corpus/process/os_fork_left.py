# expect: TL401 test_leaves what=start born=made
# why: a fork of the test itself
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
# with: end_children.py as conftest.py
import os
import time


def start() -> int:
    pid = os.fork()  # born:made
    if pid == 0:
        try:
            time.sleep(60)
        finally:
            os._exit(0)
    return pid


def test_leaves() -> None:
    assert start() > 0


def test_neighbour() -> None:
    pass
