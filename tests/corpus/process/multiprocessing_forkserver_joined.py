# expect: clean
# why: joined; what forkserver keeps for the whole process is no leak, and events and shared memory are none either
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import multiprocessing
from multiprocessing.shared_memory import SharedMemory
from multiprocessing.synchronize import Event


def work(begun: Event) -> None:
    begun.set()


def test_joins() -> None:
    context = multiprocessing.get_context("forkserver")
    begun = context.Event()
    process = context.Process(target=work, args=(begun,))
    process.start()
    begun.wait()
    process.join()


def test_closes() -> None:
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=int)
    process.start()
    process.join()
    process.close()


def test_memory() -> None:
    memory = SharedMemory(create=True, size=16)
    memory.close()
    memory.unlink()


def test_neighbour() -> None:
    pass
