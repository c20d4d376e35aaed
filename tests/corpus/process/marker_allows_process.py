# expect: clean
# why: the test says that the process stays
# runner: sync
# needs: posix
# with: end_children.py as conftest.py
import subprocess

import pytest

KEPT: list[object] = []


@pytest.mark.taskleak(allow="process:sleep")
def test_leaves() -> None:
    KEPT.append(subprocess.Popen(["sleep", "60"]))


def test_neighbour() -> None:
    pass
