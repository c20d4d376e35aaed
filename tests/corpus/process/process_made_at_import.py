# expect: clean
# why: started when the module is imported: nobody's test
# runner: sync
# needs: posix
# with: end_children.py as conftest.py
import subprocess

SERVER = subprocess.Popen(["sleep", "60"])


def test_uses() -> None:
    assert SERVER.poll() is None


def test_neighbour() -> None:
    pass
