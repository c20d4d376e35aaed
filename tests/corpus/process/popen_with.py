# expect: clean
# why: the with statement waits
# runner: sync
# needs: posix
import subprocess


def test_with() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert process.poll() is None


def test_neighbour() -> None:
    pass
