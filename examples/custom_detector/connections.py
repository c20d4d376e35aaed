"""Watches the connections of sqlite3: one that its owner does not close is told."""

import contextlib
import sqlite3
import sys
from typing import ClassVar

from pytest_taskleak.detectors.base import Detector, Patch
from pytest_taskleak.model import Code, Resource


class Watched(sqlite3.Connection):  # the plain class allows neither weak references nor attributes
    open = True

    def close(self):
        super().close()
        self.open = False


class Connections(Detector):
    kind = "connection"
    codes: ClassVar = {
        "SQL1": Code(title="left open", meaning="It was not closed.", cause="No close().", cure="Close it.")
    }

    def patches(self, recorder):
        record = recorder(self.kind, mark=False)

        def wrap(original):
            def connect(database, *args, **options):
                options = options if len(args) > 4 else {"factory": Watched, **options}
                made = original(database, *args, **options)
                if isinstance(made, Watched):
                    made.database = str(database)
                    record(made, sys._getframe(1))
                return made

            return connect

        yield Patch(lambda: [sqlite3, sqlite3.dbapi2], "connect", wrap, "connections of sqlite3")

    def alive(self, thing):
        return thing.open

    def describe(self, thing):
        return Resource(code="SQL1", name=thing.database, what="Connection", state="is still open")

    def remove(self, thing):
        thing.close()
        return False

    def advice(self, resource):
        return "use contextlib.closing(connection), or close() it in a fixture's teardown"

    def plant(self):
        return contextlib.closing(sqlite3.connect(":memory:"))
