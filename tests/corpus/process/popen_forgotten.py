# expect: TL401 test_leaves what=sleep born=made
# why: the Popen object is gone at once, its process lives on
# runner: sync
# needs: posix
# args: -W ignore::ResourceWarning
import subprocess


def start() -> int:
    return subprocess.Popen(["sleep", "60"]).pid  # born:made


def test_leaves() -> None:
    assert start() > 0


def test_neighbour() -> None:
    pass
