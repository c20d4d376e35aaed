# expect: TL401 TestServer::test_leaves what=sleep born=made
# why: left by a method of a TestCase
# runner: unittest
# needs: posix
import subprocess
import unittest


class TestServer(unittest.TestCase):
    kept: list[object] = []

    def test_leaves(self) -> None:
        self.kept.append(subprocess.Popen(["sleep", "60"]))  # born:made

    def test_neighbour(self) -> None:
        pass
