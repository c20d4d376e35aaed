# expect: clean
# why: the process is the session's
# runner: sync
# needs: posix
import subprocess
from collections.abc import Iterator

import pytest

KEPT: list[object] = []


@pytest.fixture(scope="session")
def server() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "60"])  # born:made
    KEPT.append(process)
    yield process.pid
    process.terminate()
    process.wait()


def test_one(server: int) -> None:
    assert server


def test_two(server: int) -> None:
    assert server
