"""The conftest of session_fixture_left."""

import threading

import pytest


def work(stop: threading.Event) -> None:
    stop.wait()


@pytest.fixture(scope="session")
def service() -> str:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start
    return "service"
