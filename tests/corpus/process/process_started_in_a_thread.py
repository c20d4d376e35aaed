# expect: TL401 test_leaves what=sleep born=made
# why: a thread of the test starts it
# runner: sync
# needs: posix
import subprocess
import threading

KEPT: list[object] = []


def start() -> None:
    KEPT.append(subprocess.Popen(["sleep", "60"]))  # born:made


def test_leaves() -> None:
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()


def test_neighbour() -> None:
    pass
