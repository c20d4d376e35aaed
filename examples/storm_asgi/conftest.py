import importlib

import pytest


class Database:
    """Stores events; each takes a virtual while."""

    def __init__(self, env):
        self._file = env.resource("database")
        self._write = env.dep("write")
        self.open, self.close = self._file.open, self._file.close
        self.events = []

    async def insert(self, event):
        await self._write()
        self._file.use()
        self.events.append(event)


@pytest.fixture(params=["hasty", "mended"])
def make(request):
    """Makes an app with a database."""
    module = importlib.import_module(request.param)
    return lambda env: module.Api(Database(env))
