# expect: TL301 fixture:inner what=work born=start on=test_uses
# why: the test asks for the fixture with getfixturevalue; the fixture is the maker
# runner: sync
import threading

import pytest


def work(stop: threading.Event) -> None:
    stop.wait()


@pytest.fixture
def inner() -> str:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start
    return "inner"


def test_uses(request: pytest.FixtureRequest) -> None:
    assert request.getfixturevalue("inner") == "inner"


def test_neighbour() -> None:
    pass
