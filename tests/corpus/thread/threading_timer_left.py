# expect: TL301 test_leaves what=remind born=start
# why: a threading.Timer of an hour is a thread
# runner: sync
import threading


def remind() -> None: ...


def test_leaves() -> None:
    threading.Timer(3600, remind).start()  # born:start


def test_neighbour() -> None:
    pass
