"""Which of asyncio's waits for the outside does a frame stand in: a stream, a socket, a server, a process?

uvloop's coroutines are compiled; the same table knows them by their names.
"""

from __future__ import annotations

from pytest_taskleak.adapt import details, network, sockets
from pytest_taskleak.adapt.look import Found, Handler, Look
from pytest_taskleak.adapt.primitives import of_future
from pytest_taskleak.safely import attribute


def reader(look: Look) -> Found:
    """Tell of a stream that has nothing to read."""
    thing = look.link.owner()
    method = look.link.name.rpartition(".")[2]
    if method == "_wait_for_data":
        method = "read"
    detail = details.transport(attribute(thing, "_transport"))
    return Found("stream", f"asyncio.StreamReader.{method}()", thing, detail)


def writer(look: Look) -> Found:
    """Tell of a stream that cannot be written to, or is not closed yet."""
    thing = look.link.owner()
    detail = details.transport(attribute(thing, "_transport"))
    return Found("stream", f"asyncio.{look.link.name}()", thing, detail)


def socket(look: Look) -> Found:
    """Tell of a bare socket that a loop waits for."""
    own = look.link.local("sock") if look.link.frame else look.link.of(sockets.Socket)
    package = "uvloop" if look.link.frame is None else "asyncio"
    detail = details.socket(own)
    address = look.link.local("address")
    if look.link.name.endswith("sock_connect") and "->" not in detail and type(address) is tuple:
        detail = details.ends(detail, sockets.readable(address))
    return Found("stream", f"{package}.{look.link.name}()", own, detail)


def opened(look: Look) -> Found:
    """Tell of a connection or a server that is being opened."""
    host, port = look.link.local("host"), look.link.local("port")
    path = look.link.local("path")
    address = path if port is None else (host, port)
    plain = type(address) is str or (type(host) is str and type(port) in (int, str))
    detail = f"-> {sockets.readable(address)}" if plain else ""
    kind = "server" if "server" in look.link.name else "stream"
    if kind == "server":
        detail = detail.removeprefix("-> ")
    module = "uvloop" if look.link.frame is None else "asyncio"
    return Found(kind, f"{module}.{look.link.name}()", None, detail)


def server(look: Look) -> Found:
    """Tell of a server."""
    compiled = look.link.frame is None
    thing = look.link.owner()
    if compiled:
        thing = next((x for x in look.link.held() if network.of_uvloop(x, "Server")), None)
    package = "uvloop" if compiled else "asyncio"
    return Found("server", f"{package}.{look.link.name}()", thing, details.server(thing))


def process(look: Look) -> Found:
    """Tell of a child process; `communicate()` waits for its pipes first."""
    thing = look.link.owner()
    on = (
        of_future(look.waiter).on if look.leaf is look.link and look.link.name.endswith("communicate") else ()
    )
    method = look.link.name.rpartition(".")[2].lstrip("_")
    return Found("process", f"asyncio.subprocess.Process.{method}()", thing, details.process(thing), on)


def started(look: Look) -> Found:
    """Tell of a process that is being started."""
    return Found("process", f"asyncio.{look.link.name}()")


_STREAMS = "asyncio.streams"
_PROCESS = "asyncio.subprocess"
_BASE = "asyncio.base_events"

TABLE: dict[tuple[str, str], Handler] = {
    **{
        (_STREAMS, f"StreamReader.{name}"): reader
        for name in ("read", "readline", "readuntil", "readexactly", "_wait_for_data")
    },
    **{(_STREAMS, f"StreamWriter.{name}"): writer for name in ("drain", "wait_closed", "start_tls")},
    **{
        (_STREAMS, name): opened
        for name in ("open_connection", "open_unix_connection", "start_server", "start_unix_server")
    },
    (_PROCESS, "Process.wait"): process,
    (_PROCESS, "Process.communicate"): process,
    (_PROCESS, "create_subprocess_exec"): started,
    (_PROCESS, "create_subprocess_shell"): started,
    ("asyncio.base_subprocess", "BaseSubprocessTransport._wait"): process,
    (_BASE, "Server.serve_forever"): server,
    (_BASE, "Server.wait_closed"): server,
    (_BASE, "BaseEventLoop.create_connection"): opened,
    (_BASE, "BaseEventLoop.create_server"): opened,
    ("asyncio.unix_events", "_UnixSelectorEventLoop.create_unix_connection"): opened,
    ("asyncio.unix_events", "_UnixSelectorEventLoop.create_unix_server"): opened,
    **{
        ("uvloop", f"Loop.{name}"): opened
        for name in ("create_connection", "create_server", "create_unix_connection", "create_unix_server")
    },
    ("uvloop", "Server.serve_forever"): server,
    ("uvloop", "Server.wait_closed"): server,
}


def handler_of(module: str, name: str) -> Handler | None:
    """Return what tells of a frame, `None` where the table has nothing."""
    found = TABLE.get((module, name))
    if found is None and ".sock_" in name and (module == "uvloop" or module.startswith("asyncio.")):
        return socket
    return found
