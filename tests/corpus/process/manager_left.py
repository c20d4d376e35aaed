# expect: TL401 test_leaves what=BaseManager._run_server born=made
# why: the server of a manager that nobody shuts down
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
# with: end_children.py as conftest.py
import multiprocessing

KEPT: list[object] = []


def test_leaves() -> None:
    manager = multiprocessing.get_context("fork").Manager()  # born:made
    KEPT.append(manager)
    assert manager.list([1])[0] == 1


def test_neighbour() -> None:
    pass
