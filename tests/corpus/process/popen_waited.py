# expect: clean
# why: terminated and waited for
# runner: sync
# needs: posix
import subprocess


def test_waits() -> None:
    process = subprocess.Popen(["sleep", "60"])
    process.terminate()
    assert process.wait() == -15


def test_polls() -> None:
    process = subprocess.Popen(["true"])
    while process.poll() is None:
        pass


def test_neighbour() -> None:
    pass
