# expect: TL301 test_close[False] what=work born=start
# why: the thread is told to stop under one parameter only
# runner: sync
import threading

import pytest


def work(stop: threading.Event) -> None:
    stop.wait()


@pytest.mark.parametrize("closes", [True, False, True])
def test_close(closes: bool) -> None:
    stop = threading.Event()
    threading.Thread(target=work, args=(stop,), daemon=True).start()  # born:start
    if closes:
        stop.set()
