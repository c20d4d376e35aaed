"""The cases of forking, in a process that has no other threads: plugins of the suite may have started some."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
QUIET = ("-p", "no:rerunfailures", "-p", "no:xdist", "-p", "no:cacheprovider", "-o", "taskleak=off")


@pytest.mark.parametrize("cases", ["forking_cases.py", "forking_reference.py"])
def test_forking(cases: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", *QUIET, str(HERE / cases)]
    done = subprocess.run(
        command,
        env={name: value for name, value in os.environ.items() if name != "STORM_SEEDS"},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=HERE.parents[1],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
