# expect: TL301 fixture:*setup_class* what=work born=start on=TestService::test_last
# why: xunit setup_class is a class fixture to pytest
# runner: sync
import threading


def work(stop: threading.Event) -> None:
    stop.wait()


class TestService:
    @classmethod
    def setup_class(cls) -> None:
        threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start

    def test_first(self) -> None:
        pass

    def test_last(self) -> None:
        pass


def test_neighbour() -> None:
    pass
