import asyncio
import importlib

import pytest
import pytest_asyncio


class Line:
    """A line to a mail server."""

    def open(self):
        self.is_open = True

    def use(self):
        assert self.is_open

    def close(self):
        self.is_open = False


async def by_mail(mail):
    await asyncio.sleep(0.01, mail)


@pytest.fixture(params=["hasty", "mended"])
def module(request):
    return importlib.import_module(request.param)


@pytest.fixture
def make(module):
    """Makes an outbox."""
    return lambda: module.Outbox(by_mail, Line())


@pytest_asyncio.fixture
async def outbox(make):
    outbox = make()
    await outbox.start()
    yield outbox
    await outbox.stop()
