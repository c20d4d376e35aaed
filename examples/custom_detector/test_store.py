from contextlib import closing

import pytest
from store import Notes, default_notes


@pytest.fixture(scope="session")
def shared():
    with closing(Notes(":memory:")) as notes:
        yield notes


def test_forgets_to_close():
    notes = default_notes()
    notes.add("milk")
    assert notes.count() == 1


def test_closes():
    with closing(Notes(":memory:")) as notes:
        notes.add("milk")
        assert notes.count() == 1


def test_shares_one_of_the_session(shared):
    shared.add("milk")
    assert shared.count() == 1
