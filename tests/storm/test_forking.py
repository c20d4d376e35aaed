"""The cases of forking, in a process that has no other threads: plugins of the suite may have started some."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
QUIET = ("-p", "no:rerunfailures", "-p", "no:xdist", "-p", "no:cacheprovider", "-o", "taskleak=off")


def test_forking() -> None:
    command = [sys.executable, "-m", "pytest", "-q", *QUIET, str(HERE / "forking_cases.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=110, cwd=HERE.parents[1]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
