# expect: TL703 test_raises what=stumble born=here
# expect: TL703 test_timer what=stumble born=timer
# why: the thread ends with an exception that only the hook has seen
# runner: thread
# args: -W ignore::DeprecationWarning
import threading


def stumble() -> None:
    raise ValueError("boom")


def test_raises() -> None:
    thread = threading.Thread(target=stumble)
    thread.start()  # born:here
    thread.join()


def test_timer() -> None:
    timer = threading.Timer(0.001, stumble)
    timer.start()  # born:timer
    timer.join()


def test_neighbour() -> None:
    thread = threading.Thread(target=str)
    thread.start()
    thread.join()
