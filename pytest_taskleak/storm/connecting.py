"""How does code under a storm get a connection: `env.server()`, `env.connect()`, `env.stream_pair()`?"""

from __future__ import annotations

import errno
import functools
import random
from collections.abc import Callable
from typing import Any

from pytest_taskleak.storm.lines import Lines
from pytest_taskleak.storm.streams import LATENCY, LIMIT, End, MemoryServer, Network


class Connecting:
    """What the environment of a run has for code that is written to streams: connections in memory."""

    loop: Any
    rng: random.Random
    clients: list[Any]
    resource: Callable[[str], Any]
    held: bool
    struck: list[str]

    @functools.cached_property
    def network(self) -> Network:
        """The connections in memory."""
        return Network(self)

    @functools.cached_property
    def lines(self) -> Lines:
        """The connections of clients."""
        return Lines(self.loop, self.struck.append)

    def disconnected(self) -> None:
        """Forget all connections, once their world has ended."""
        vars(self).pop("network", None)
        self.lines.forget()

    def stream_pair(self, *, latency: tuple[float, float] = LATENCY, limit: int = LIMIT) -> tuple[End, End]:
        """Return both ends of a connection in memory, each a reader and a writer.

        Where a client makes it, the first end counts as the client's.

        Parameters:
            latency: the least and the most virtual seconds that a piece takes.
            limit: bytes that a reader holds.
        """
        return self.network.pair(latency, limit)

    async def server(
        self, handler: Callable[..., Any], host: Any = None, port: Any = None, *, limit: int = LIMIT
    ) -> MemoryServer:
        """Listen in memory: stands in for `asyncio.start_server()`.

        Parameters:
            handler: is given reader and writer of each connection; a coroutine function or not.
            host: any name.
            port: any number.
            limit: bytes that a reader holds.

        Raises:
            OSError: somebody listens there.
        """
        if (host, port) in self.network.listening:
            raise OSError(errno.EADDRINUSE, f"somebody listens at {(host, port)!r}")
        server = MemoryServer(self.network, handler, (host, port), limit)
        server.open()
        return server

    async def connect(
        self,
        host: Any = None,
        port: Any = None,
        *,
        latency: tuple[float, float] = LATENCY,
        limit: int = LIMIT,
    ) -> End:
        """Connect in memory: stands in for `asyncio.open_connection()`.

        Parameters:
            host: as given to `server`.
            port: as given to `server`.
            latency: the least and the most virtual seconds that a piece takes.
            limit: bytes that the reader holds.

        Raises:
            ConnectionRefusedError: nobody listens there.
        """
        return await self.network.connect((host, port), latency, limit)
