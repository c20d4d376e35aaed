# expect: TL402 test_leaves what=test_leaves born=made
# why: the fork has ended, and nobody waits for it
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import os


def test_leaves() -> None:
    ours, theirs = os.pipe()
    pid = os.fork()  # born:made
    if pid == 0:
        os._exit(3)
    os.close(theirs)
    assert os.read(ours, 1) == b""
    os.close(ours)


def test_neighbour() -> None:
    pass
