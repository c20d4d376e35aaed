"""A store of notes in a database of sqlite3."""

import sqlite3
from functools import cache


class Notes:
    def __init__(self, path):
        self.connection = sqlite3.connect(path)
        self.connection.execute("create table if not exists notes (text)")

    def add(self, text):
        with self.connection:  # ends the transaction, and does not close the connection
            self.connection.execute("insert into notes values (?)", [text])

    def count(self):
        return self.connection.execute("select count(*) from notes").fetchone()[0]

    def close(self):
        self.connection.close()


@cache
def default_notes():
    return Notes(":memory:")
