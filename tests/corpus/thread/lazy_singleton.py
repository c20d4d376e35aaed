# expect: clean
# why: a helper module's daemon worker, one of its kind, kept in a global there: adopted by the session
# runner: sync
# with: lazy_metrics.py
import lazy_metrics


def test_first() -> None:
    lazy_metrics.record("a")


def test_second() -> None:
    lazy_metrics.record("b")
