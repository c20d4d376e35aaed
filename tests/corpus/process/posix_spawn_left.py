# expect: TL401 test_leaves what=sleep born=made
# why: a program spawned without subprocess
# runner: sync
# needs: posix
import os


def test_leaves() -> None:
    assert os.posix_spawnp("sleep", ["sleep", "60"], os.environ) > 0  # born:made


def test_neighbour() -> None:
    pass
