# expect: clean
# why: a library starts one daemon for the whole process and keeps it
# runner: sync
# needs: posix
# with: with_helper_process.py as helper_process.py
# args: -W ignore::DeprecationWarning
# with: end_children.py as conftest.py
import helper_process


def test_first() -> None:
    assert helper_process.server().pid


def test_second() -> None:
    assert helper_process.server().pid
