# expect: TL301 fixture:*setup_method* what=work born=start on=TestService::test_uses
# why: xunit teardown_method is the teardown of a function fixture to pytest
# runner: sync
import threading


def work(stop: threading.Event) -> None:
    stop.wait()


class TestService:
    def setup_method(self) -> None:
        self.name = "service"

    def teardown_method(self) -> None:
        threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start

    def test_uses(self) -> None:
        assert self.name


def test_neighbour() -> None:
    pass
