"""Which question of a client over a stream has found no answer before the connection ended?

A question is what was written since the last bytes came, by a client that then reads.  Who never reads waits
for no answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from pytest_taskleak.adapt.links import frames_of, locals_of
from pytest_taskleak.adapt.raising import told


class AskingReader(asyncio.StreamReader):
    """The reader of a client: knows whether it waits for an answer.

    Parameters:
        title: what it has connected to.
        options: of `asyncio.StreamReader`.
    """

    def __init__(self, title: str, **options: Any) -> None:
        super().__init__(**options)
        self.title = title
        self.held: list[Any] = []
        """What the client's code held in its variables when its question was cut off."""
        self.asked = self.reads = self.over = False
        self.leaving: Callable[[], bool] = lambda: False
        """Tells whether the client itself has closed it."""
        self._client: Any = asyncio.current_task()

    @property
    def cut(self) -> bool:
        """Whether the other side has ended it in place of an answer."""
        return self.over and self.asked and self.reads

    def feed_data(self, data: Any) -> None:
        """Take bytes: an answer, or the beginning of one."""
        self.asked = self.reads = False
        super().feed_data(data)

    def feed_eof(self) -> None:
        """Take the end."""
        if not self.leaving():
            self._ends()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        """Take a reset."""
        self._ends()
        super().set_exception(exc)

    def _ends(self) -> None:
        if not self.over:
            self.over = True
            if self.asked:
                frames = [frame for frame in frames_of(self._client) if told(frame.f_code)]
                self.held = [value for frame in frames for value in locals_of(frame).values()]
        self._client = None

    def read(self, n: int = -1) -> Any:
        """Read so many bytes."""
        self.reads = True
        return super().read(n)

    def readexactly(self, n: int) -> Any:
        """Read exactly so many bytes."""
        self.reads = True
        return super().readexactly(n)

    def readuntil(self, separator: Any = b"\n") -> Any:
        """Read until a separator; `readline()` and `async for` do so as well."""
        self.reads = True
        return super().readuntil(separator)


class AskingWriter(asyncio.StreamWriter):
    """The writer of a client: what it writes is a question."""

    def __init__(self, transport: Any, protocol: Any, reader: AskingReader, loop: Any) -> None:
        super().__init__(transport, protocol, reader, loop)
        reader.leaving = transport.is_closing
        self._question = reader

    def write(self, data: Any) -> None:
        """Write bytes."""
        self._asks()
        super().write(data)

    def writelines(self, data: Iterable[Any]) -> None:
        """Write pieces."""
        self._asks()
        super().writelines(data)

    def _asks(self) -> None:
        reader = self._question
        reader.asked = reader.asked or not reader.over
