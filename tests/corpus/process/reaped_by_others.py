# expect: clean
# why: a thread, a handler of SIGCHLD or the system itself reaps what has ended
# runner: sync
# needs: posix
import os
import signal
import subprocess
import threading

KEPT: list[object] = []


def test_thread() -> None:
    process = subprocess.Popen(["sleep", "60"])
    threading.Thread(target=process.wait).start()
    process.kill()


def test_handler() -> None:
    ended = threading.Event()

    def reap(*_: object) -> None:
        os.waitpid(process.pid, 0)
        ended.set()

    before = signal.signal(signal.SIGCHLD, reap)
    try:
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        KEPT.append(process)
        assert process.stdin is not None
        process.stdin.close()
        ended.wait()
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_system() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        process = subprocess.Popen(["sleep", "60"])
        KEPT.append(process)
        process.kill()
        while os.path.exists(f"/proc/{process.pid}"):
            pass
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_neighbour() -> None:
    pass
