# expect: TL401 fixture:server born=made on=test_two
# why: told when the module's fixture has ended
# runner: sync
# needs: posix
import subprocess
from collections.abc import Iterator

import pytest

KEPT: list[object] = []


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "60"])  # born:made
    KEPT.append(process)
    yield process.pid


def test_one(server: int) -> None:
    assert server


def test_two(server: int) -> None:
    assert server
