# expect: TL401 test_leaves what=sleep born=made
# why: the collector took the Popen object in the middle of the test; the process lives on
# runner: sync
# needs: posix
# args: -W ignore::ResourceWarning
import gc
import subprocess


class Server:
    def __init__(self) -> None:
        self.me = self
        self.process = subprocess.Popen(["sleep", "60"])  # born:made


def test_leaves() -> None:
    Server()
    gc.collect()


def test_neighbour() -> None:
    pass
