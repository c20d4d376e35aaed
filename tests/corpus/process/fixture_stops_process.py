# expect: clean
# why: the test starts, the fixture's teardown stops and waits
# runner: sync
# needs: posix
import subprocess
from collections.abc import Iterator

import pytest


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_starts(processes: list[subprocess.Popen[bytes]]) -> None:
    processes.append(subprocess.Popen(["sleep", "60"]))


def test_neighbour() -> None:
    pass
