"""What does a client ask of an ASGI app, and how is that told to the app?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote

ASGI = {"version": "3.0", "spec_version": "2.3"}
HOST = "testserver"
WEBSOCKET = "WS"
"""The method that stands for a websocket."""
PLACE = "{i}"
"""In a path or a body: the number of the request."""
FIRST_PORT = 50_000
READING = frozenset({"GET", "HEAD", "OPTIONS", WEBSOCKET})
"""Methods that hand nothing in."""
SHAPES = (
    '("POST", "/path/{i}"), ("POST", "/path", body or dict), ("WS", "/path", [message, ...]) or a Request'
)

Fate = Literal["answered", "refused", "unanswered", "error"]
"""What became of a request: answered in full; refused before it was accepted; the connection ended without a
full answer, so that nobody knows; the app failed or answered with 500 or more."""
FATES: tuple[Fate, ...] = ("answered", "refused", "unanswered", "error")

Data = bytes | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one client asks, and how it behaves.

    Parameters:
        method: of HTTP, or `WS` for a websocket.
        path: with its query; `{i}` is the number of the request.
        body: what is sent: all of it, or its chunks; of a websocket the messages.  `{i}` as in the path.
        headers: besides those that go without saying.
        pause: virtual seconds before each chunk or message that is sent.
        slow: virtual seconds that the client takes for each chunk or message that it reads.
        reads: after so many chunks or messages the client goes; `None` stays until the end.
        leaves: after so many virtual seconds the client goes; `None` stays until the end.
    """

    method: str = "GET"
    path: str = "/"
    body: Data | Sequence[Data] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: float = 0.0
    slow: float = 0.0
    reads: int | None = None
    leaves: float | None = None

    @property
    def title(self) -> str:
        """What it is called, whatever its number: `POST /ev/{i}`."""
        return f"{self.method} {self.path}"

    def path_of(self, number: int) -> str:
        """Return the path of the request of a number."""
        return self.path.replace(PLACE, str(number))

    def chunks_of(self, number: int) -> list[Data]:
        """Return what the request of a number sends."""
        return [numbered(chunk, number) for chunk in self._chunks()]

    def has_number(self) -> bool:
        """Tell whether its number can be seen by the app."""
        return PLACE in self.path or any(numbered(chunk, 0) != chunk for chunk in self._chunks())

    def _chunks(self) -> Sequence[Data]:
        if isinstance(self.body, bytes | str):
            return [self.body] if self.body else []
        return self.body


@dataclass(slots=True, eq=False)
class Answer:
    """What a client has got.

    Parameters:
        request: what it had asked.
        number: of the request, from 0.
        fate: what became of it.
        status: of HTTP; 0 where none came.
        headers: of the response, names in lower case.
        body: as much of it as came.
        messages: of a websocket, in their order.
        code: with which a websocket was closed; 0 where it was not.
        cut: whether the server has closed the connection in place of a full answer.
    """

    request: Request
    number: int
    fate: Fate = "unanswered"
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    messages: list[Data] = field(default_factory=list)
    code: int = 0
    cut: bool = False

    @property
    def ok(self) -> bool:
        """Whether it was answered in full, with a status of 200 to 299; a websocket: ended in order."""
        return self.fate == "answered" and (
            self.request.method == WEBSOCKET or 200 <= self.status < 300  # noqa: PLR2004 -- HTTP's own
        )


def numbered(data: Data, number: int) -> Data:
    """Return data with the number in its place."""
    if isinstance(data, bytes):
        return data.replace(PLACE.encode(), str(number).encode())
    return data.replace(PLACE, str(number))


def request_of(given: Any) -> Request:
    """Return a request as a user may write it.

    Raises:
        TypeError: it is none.
        ValueError: a time or a count in it is negative.
    """
    if isinstance(given, Request):
        found = given
    elif isinstance(given, str):
        found = Request(path=given)
    elif isinstance(given, tuple) and len(given) in (2, 3) and all(isinstance(g, str) for g in given[:2]):
        method, path, body = given[0].upper(), given[1], (given[2:] or (b"",))[0]
        headers: dict[str, str] = {}
        if isinstance(body, Mapping):
            body, headers = json.dumps(body), {"content-type": "application/json"}
        method = WEBSOCKET if method == "WEBSOCKET" else method
        found = Request(method=method, path=path, body=body, headers=headers)
    else:
        raise TypeError(f"shutdown_storm.asgi: a request is {SHAPES} - got {given!r}")
    if min(found.pause, found.slow, found.leaves or 0, found.reads or 0) < 0:
        raise ValueError(f"shutdown_storm.asgi: pause, slow, reads and leaves cannot be negative: {found!r}")
    return found


def scope_of(request: Request, number: int, state: dict[str, Any]) -> dict[str, Any]:
    """Return the connection scope of a request.

    Parameters:
        request: what is asked.
        number: its number.
        state: what the lifespan has put there; copied.
    """
    path, _, query = request.path_of(number).partition("?")
    websocket = request.method == WEBSOCKET
    headers = [(b"host", HOST.encode())]
    if not websocket and (chunks := request.chunks_of(number)):
        size = sum(len(as_bytes(chunk)) for chunk in chunks)
        headers.append((b"content-length", str(size).encode()))
    headers += [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()
    ]
    scope: dict[str, Any] = {
        "type": "websocket" if websocket else "http",
        "asgi": dict(ASGI),
        "http_version": "1.1",
        "scheme": "ws" if websocket else "http",
        "server": (HOST, 80),
        "client": ("127.0.0.1", FIRST_PORT + number),
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode("ascii", "replace"),
        "query_string": query.encode("ascii", "replace"),
        "headers": headers,
        "state": state.copy(),
    }
    scope["subprotocols" if websocket else "method"] = [] if websocket else request.method
    return scope


def as_bytes(data: Data) -> bytes:
    """Return data as bytes."""
    return data.encode() if isinstance(data, str) else data
