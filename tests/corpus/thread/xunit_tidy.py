# expect: clean
# why: setup and teardown of function, method, class and module stop what they start
# runner: sync
import threading


class Service:
    def __init__(self) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.stop.wait)
        self.thread.start()

    def close(self) -> None:
        self.stop.set()
        self.thread.join()


SERVICES: dict[str, Service] = {}


def setup_module() -> None:
    SERVICES["module"] = Service()


def teardown_module() -> None:
    SERVICES.pop("module").close()


def setup_function() -> None:
    SERVICES["function"] = Service()


def teardown_function() -> None:
    SERVICES.pop("function").close()


def test_function() -> None:
    assert SERVICES["function"].thread.is_alive()


class TestClass:
    service: Service
    own: Service

    @classmethod
    def setup_class(cls) -> None:
        cls.service = Service()

    @classmethod
    def teardown_class(cls) -> None:
        cls.service.close()

    def setup_method(self) -> None:
        self.own = Service()

    def teardown_method(self) -> None:
        self.own.close()

    def test_one(self) -> None:
        assert self.own.thread.is_alive()

    def test_two(self) -> None:
        assert self.service.thread.is_alive()
