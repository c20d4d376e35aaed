# expect: TL301|TL303|TL304 test_leaves
# why: shutdown(wait=False) was called, but the call in the pool never ends
# runner: sync
import threading
from concurrent.futures import ThreadPoolExecutor


def block(begun: threading.Event) -> None:
    begun.set()
    threading.Event().wait()


def test_leaves() -> None:
    pool = ThreadPoolExecutor(1)
    begun = threading.Event()
    pool.submit(block, begun)
    begun.wait()
    pool.shutdown(wait=False)


def test_neighbour() -> None:
    pass
