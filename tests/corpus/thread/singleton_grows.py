# expect: TL301 test_second what=flush
# why: the first is a lazy singleton of a library; a second one of the same make is growth
# runner: sync
# with: growing_metrics.py
import growing_metrics


def test_first() -> None:
    growing_metrics.record("a")


def test_between() -> None:
    pass


def test_second() -> None:
    growing_metrics.record("b")


def test_neighbour() -> None:
    pass
