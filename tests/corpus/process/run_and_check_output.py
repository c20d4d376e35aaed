# expect: clean
# why: these functions wait themselves, also when the time is up
# runner: sync
# needs: posix
import os
import subprocess

import pytest


def test_run() -> None:
    assert subprocess.run(["true"], check=False).returncode == 0
    assert subprocess.check_output(["echo", "abc"]) == b"abc\n"
    assert subprocess.getoutput("echo abc") == "abc"
    assert os.system("true") == 0
    with os.popen("echo abc") as pipe:
        assert pipe.read() == "abc\n"


def test_timeout() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["sleep", "60"], check=False, timeout=0.05)


def test_absent() -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.Popen(["no-such-program"])


def test_neighbour() -> None:
    pass
