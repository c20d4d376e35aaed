# expect: clean
# why: the one pool of a helper module, made at its first use and kept in its global
# runner: sync
# with: lazy_pool.py
import lazy_pool


def test_first() -> None:
    assert lazy_pool.call("abc") == 3


def test_second() -> None:
    assert lazy_pool.call("ab") == 2
