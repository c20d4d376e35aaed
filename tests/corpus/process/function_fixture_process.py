# expect: clean
# why: the fixture stops what it has started
# runner: sync
# needs: posix
import subprocess
from collections.abc import Iterator

import pytest

KEPT: list[object] = []


@pytest.fixture
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
