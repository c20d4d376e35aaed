# expect: clean
# why: shut down by the with statement, by hand, or by its own end, also in a cycle
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import multiprocessing

FORK = multiprocessing.get_context("fork")


def test_with() -> None:
    with FORK.Manager() as manager:
        assert manager.dict(a=1)["a"] == 1


def test_shut_down() -> None:
    manager = FORK.Manager()
    manager.shutdown()


def test_dropped() -> None:
    assert FORK.Manager().list([1])[0] == 1


def test_dropped_in_a_cycle() -> None:
    holder: list[object] = [FORK.Manager()]
    holder.append(holder)


def test_neighbour() -> None:
    pass
