import asyncio
import importlib

import pytest


class Post:
    """Sends mails, each in so many seconds."""

    def __init__(self):
        self.sent = []
        self.seconds = 1.0
        self.broken = False

    async def send(self, text):
        await asyncio.sleep(self.seconds)
        if self.broken:
            raise ConnectionError("no mail server")
        self.sent.append(text)


class Shelf:
    """Stores orders, each in a second."""

    def __init__(self):
        self.orders = []
        self.full = False
        self.slippery = set()

    async def reserve(self, number):
        if self.full:
            raise OSError(f"no space for {number} orders")

    async def put(self, order):
        await asyncio.sleep(1)
        if order in self.slippery:
            self.slippery.remove(order)
            raise OSError(f"{order} has slipped")
        self.orders.append(order)


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture(params=["bare", "helped", "structured"])
def open_desk(request):
    return importlib.import_module(request.param).open_desk
