# expect: TL303 test_leaves what=InterpreterPoolExecutor born=made
# why: told as what it is
# runner: sync
# needs: python>=3.14
import concurrent.futures

KEPT: list[object] = []


def test_leaves() -> None:
    pool = concurrent.futures.InterpreterPoolExecutor(1)  # born:made
    KEPT.append(pool)
    assert pool.submit(len, "abc").result() == 3


def test_neighbour() -> None:
    pass
