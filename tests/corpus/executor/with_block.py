# expect: clean
# why: the with block waits for its workers
# runner: sync
from concurrent.futures import ThreadPoolExecutor


def test_with() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(len, ["a", "ab"])) == [1, 2]


def test_shutdown() -> None:
    pool = ThreadPoolExecutor(1)
    pool.submit(len, "abc")
    pool.shutdown()
