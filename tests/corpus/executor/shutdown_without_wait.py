# expect: clean
# why: told to stop by the last statement; a call of 20 ms may end within the grace
# runner: sync
import time
from concurrent.futures import ThreadPoolExecutor

POOLS: list[ThreadPoolExecutor] = []


def short() -> None:
    time.sleep(0.02)


def test_idle() -> None:
    pool = ThreadPoolExecutor(1)
    POOLS.append(pool)
    pool.submit(len, "abc").result()
    pool.shutdown(wait=False)


def test_short_call() -> None:
    pool = ThreadPoolExecutor(1)
    POOLS.append(pool)
    pool.submit(short)
    pool.shutdown(wait=False)
