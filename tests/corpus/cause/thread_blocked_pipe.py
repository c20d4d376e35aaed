# expect: TL301 test_reads what=Reader.read born=here cause=thread-blocked finality=outside
# waits: *read*
# why: it reads from a pipe that nobody writes to
# runner: sync
# needs: posix
# args: --taskleak-detect=thread
import os
import threading


class Reader:
    def __init__(self) -> None:
        self.ends = os.pipe()

    def read(self) -> None:
        os.read(self.ends[0], 1)


def test_reads() -> None:
    threading.Thread(target=Reader().read, name="reader", daemon=True).start()  # born:here


def test_neighbour() -> None:
    pass
