# expect: clean
# with: module_helper_portal.py as portal.py
# why: the application keeps one loop for the whole process in its module, and runs all calls on it
# runner: sync own loop
import portal


def test_first_use() -> None:
    assert portal.call(lambda: 1) == 1


def test_second_use() -> None:
    assert portal.call(lambda: 2) == 2
