"""Does a group keep its promises on a Python whose `TaskGroup` is made in another way?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("rows/test_tracker.py", "rows/test_background.py", "rows/test_manager.py", "test_same_as_asyncio.py")
SEEN = """
import unknown_group
from pytest_taskleak.adapt import task_groups
assert not task_groups.KNOWN and task_groups.Noticed is task_groups.Guarding
"""


def run(*command: str) -> str:
    """Run Python where the group is an unknown one; return what it printed."""
    env = {**os.environ, "PYTHONPATH": str(HERE)}
    line = [sys.executable, *command]
    done = subprocess.run(line, env=env, capture_output=True, text=True, cwd=HERE.parents[1], check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


def test_an_unknown_group_is_seen() -> None:
    run("-c", SEEN)


def test_it_is_the_same_by_public_means() -> None:
    parts = [str(HERE / part) for part in PARTS]
    # It costs more there, and a guarded child ends some turns later.
    but = "not row_17 and not keeps_its_failure"
    line = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "unknown_group", "-k", but)
    assert " passed" in run("-m", "pytest", "-q", "-n", "0", *line, *parts)
