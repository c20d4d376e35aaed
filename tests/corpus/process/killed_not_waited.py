# expect: TL402 test_leaves what=sleep born=made
# why: killed, and nobody waits: a zombie stays
# runner: sync
# needs: posix
import subprocess

KEPT: list[object] = []


def test_leaves() -> None:
    process = subprocess.Popen(["sleep", "60"])  # born:made
    KEPT.append(process)
    process.kill()


def test_neighbour() -> None:
    pass
