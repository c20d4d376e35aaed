# expect: TL401 test_leaves what=work born=made
# why: started by spawn, never joined
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
# with: end_children.py as conftest.py
import multiprocessing
from multiprocessing.synchronize import Event

KEPT: list[object] = []


def work(begun: Event, stop: Event) -> None:
    begun.set()
    stop.wait()


def test_leaves() -> None:
    context = multiprocessing.get_context("spawn")
    begun, stop = context.Event(), context.Event()
    process = context.Process(target=work, args=(begun, stop), daemon=True)
    process.start()  # born:made
    KEPT.extend((process, stop))
    begun.wait()


def test_neighbour() -> None:
    pass
