# expect: TL402 test_leaves what=sleep born=made
# why: it ends within the grace, but nobody waits for it
# runner: sync
# needs: posix
import subprocess

KEPT: list[object] = []


def test_leaves() -> None:
    KEPT.append(subprocess.Popen(["sleep", "0.03"]))  # born:made


def test_neighbour() -> None:
    pass
