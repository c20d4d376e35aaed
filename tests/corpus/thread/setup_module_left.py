# expect: TL301 fixture:*setup_module* what=work born=start on=test_last
# why: xunit setup_module is a module fixture to pytest
# runner: sync
import threading


def work(stop: threading.Event) -> None:
    stop.wait()


def setup_module() -> None:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start


def test_first() -> None:
    pass


def test_last() -> None:
    pass
