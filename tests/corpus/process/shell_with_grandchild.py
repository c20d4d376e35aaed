# expect: TL401 test_leaves what=sleep born=made
# why: a shell and what it runs are one finding
# runner: sync
# needs: posix
import subprocess

import psutil

KEPT: list[subprocess.Popen[bytes]] = []


def test_leaves() -> None:
    process = subprocess.Popen("sleep 60; sleep 61", shell=True)  # born:made
    KEPT.append(process)
    while not psutil.Process(process.pid).children():
        assert process.poll() is None


def test_neighbour() -> None:
    pass
