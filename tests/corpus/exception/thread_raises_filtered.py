# expect: clean
# why: the test says that it knows of the exception
# runner: thread
import threading

import pytest


def stumble() -> None:
    raise ValueError("boom")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_raises() -> None:
    thread = threading.Thread(target=stumble)
    thread.start()
    thread.join()
