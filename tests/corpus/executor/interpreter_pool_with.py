# expect: clean
# why: shut down by the with statement
# runner: sync
# needs: python>=3.14
import concurrent.futures


def test_with() -> None:
    with concurrent.futures.InterpreterPoolExecutor(2) as pool:
        assert list(pool.map(len, ["abc", "d"])) == [3, 1]


def test_neighbour() -> None:
    pass
