# expect: TL401 test_leaves what=sleep born=made
# why: a program started and kept, never stopped
# runner: sync
# needs: posix
import subprocess

KEPT: list[object] = []


def test_leaves() -> None:
    KEPT.append(subprocess.Popen(["sleep", "60"]))  # born:made


def test_neighbour() -> None:
    pass
