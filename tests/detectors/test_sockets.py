"""Sockets: which are noticed, which are a loop's own, and how are they told?"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_taskleak.adapt import sockets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.detectors.conftest import Lab

UVLOOP: Any = None
with contextlib.suppress(ImportError):  # before any watch: what is imported in a test is not seen in it
    UVLOOP = importlib.import_module("uvloop")


@pytest.fixture
def opened() -> Iterator[contextlib.ExitStack]:
    """Closes what a test has opened."""
    with contextlib.ExitStack() as stack:
        yield stack


def births(lab: Lab) -> list[Any]:
    """Return what was written down, open or not."""
    return [entry() for entry in lab.scope.births.get("socket", ())]


def test_every_way_to_make_one(lab: Lab, opened: contextlib.ExitStack) -> None:
    listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = opened.enter_context(socket.create_connection(listener.getsockname()))
    accepted = opened.enter_context(listener.accept()[0])
    copied = opened.enter_context(client.dup())
    again = opened.enter_context(socket.fromfd(client.fileno(), socket.AF_INET, socket.SOCK_STREAM))
    pair = [opened.enter_context(end) for end in socket.socketpair()]
    everything = [listener, client, accepted, copied, again, *pair]
    assert lab.live("socket") == everything
    for own in everything:
        own.close()
    assert lab.live("socket") == []


def test_detached_into_another(lab: Lab, opened: contextlib.ExitStack) -> None:
    plain = socket.socket()
    wrapped = ssl.create_default_context().wrap_socket(plain, server_hostname="x")
    assert lab.live("socket") == [wrapped]
    handed_on = opened.enter_context(socket.socket(fileno=wrapped.detach()))
    assert lab.live("socket") == [handed_on]


def test_arguments_go_through_as_they_came(lab: Lab) -> None:
    with socket.socket(family=socket.AF_INET, type=socket.SOCK_DGRAM, proto=0, fileno=None) as made:
        assert made.type == socket.SOCK_DGRAM
    with pytest.raises(TypeError, match="unexpected"):
        socket.socket(colour="red")  # type: ignore[call-arg]
    with pytest.raises(OSError, match=r".+"):
        socket.socket(fileno=1_000_000)
    assert lab.live("socket") == []


def test_the_pair_that_wakes_a_loop(lab: Lab) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    assert births(lab) == []
    loop.close()


@pytest.mark.skipif(UVLOOP is None, reason="no uvloop here")
def test_the_pair_that_wakes_a_uvloop(lab: Lab) -> None:
    loop = UVLOOP.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    assert births(lab) == []

    async def own() -> tuple[socket.socket, socket.socket]:
        return socket.socketpair()

    ours, other = loop.run_until_complete(own())
    assert lab.live("socket") == [ours, other]
    ours.close()
    other.close()
    loop.close()


def test_the_pair_that_wakes_trio(lab: Lab) -> None:
    trio = pytest.importorskip("trio")
    trio.run(trio.sleep, 0)
    assert births(lab) == []


def test_sockets_that_a_loop_makes_for_its_connections(lab: Lab) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await reader.read()
            writer.close()
            await writer.wait_closed()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        transport.close()

    asyncio.run(main())
    assert births(lab) == []


def test_a_socket_accepted_for_the_user_is_the_users(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = loop.run_until_complete(loop.sock_accept(listener))
    assert lab.live("socket") == [accepted]
    accepted.close()


def test_a_transport_answers_for_its_socket(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    ours, other = socket.socketpair()
    transport, _ = loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=ours))
    assert lab.live("socket") == [other]
    assert lab.live("transport") == [transport]
    transport.close()
    loop.run_until_complete(asyncio.sleep(0))
    other.close()


def test_no_code_of_a_subclass_is_run(lab: Lab) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError

    class Odd(socket.socket):  # noqa: PLW1641 -- cannot be hashed, on purpose
        def __eq__(self, other: object) -> bool:
            raise AssertionError

    for name in ("fileno", "getsockname", "getpeername", "getsockopt"):
        setattr(Odd, name, refuse)
    for name in ("family", "type"):
        setattr(Odd, name, property(refuse))
    own = Odd(socket.AF_INET, socket.SOCK_STREAM)
    (found,) = lab.live("socket")
    assert found is own
    assert lab.detector("socket").describe(own).name == "tcp socket"
    sockets.take_over([own])
    socket.socket.close(own)
    assert lab.live("socket") == []


def test_another_class_in_its_place(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    class Guarded(socket.socket):
        pass

    monkeypatch.setattr(socket, "socket", Guarded)
    with Guarded() as own:
        assert lab.live("socket") == [own]


def test_made_in_a_thread(lab: Lab, opened: contextlib.ExitStack) -> None:
    def work() -> None:
        opened.enter_context(socket.socket())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(lab.live("socket")) == 1


@pytest.mark.parametrize("state", ["listening", "connected", "not connected"])
def test_describe(lab: Lab, opened: contextlib.ExitStack, state: str) -> None:
    own = opened.enter_context(socket.socket())
    own.bind(("127.0.0.1", 0))
    host, port = own.getsockname()
    details = {"local": f"{host}:{port}", "state": state}
    if state == "listening":
        own.listen()
    if state == "connected":
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        own.connect(listener.getsockname())
        details["remote"] = f"127.0.0.1:{listener.getsockname()[1]}"
    told = lab.detector("socket").describe(own)
    assert (told.code, told.name, told.what) == ("TL521", "tcp socket", "socket")
    assert (told.state, dict(told.details)) == ("is still open", details)


@pytest.mark.parametrize(
    ("family", "kind", "name"),
    [
        ("AF_INET", socket.SOCK_STREAM, "tcp"),
        ("AF_INET", socket.SOCK_DGRAM, "udp"),
        ("AF_INET6", socket.SOCK_DGRAM, "udp"),
        ("AF_UNIX", socket.SOCK_STREAM, "unix"),
        ("AF_NETLINK", socket.SOCK_RAW, "family 16"),
    ],
)
def test_name(lab: Lab, family: str, kind: socket.SocketKind, name: str) -> None:
    number = getattr(socket, family, None)
    if number is None:
        pytest.skip(f"no {family} here")
    with socket.socket(number, kind) as own:
        assert lab.detector("socket").describe(own).name == f"{name} socket"


def test_describe_what_was_closed_meanwhile(lab: Lab) -> None:
    own = socket.socket()
    own.close()
    told = lab.detector("socket").describe(own)
    assert dict(told.details) == {"state": "not connected"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 80, 0, 0), "[::1]:80"),
        ("/run/s", "/run/s"),
        (b"\0name", "@name"),
        ("", ""),
        (b"", ""),
        (None, ""),
    ],
)
def test_readable(given: object, text: str) -> None:
    assert sockets.readable(given) == text


def test_nothing_is_removed(lab: Lab) -> None:
    with socket.socket() as own:
        assert lab.detector("socket").remove(own) is False
        assert own.fileno() != -1


def test_patch_is_undone(lab: Lab) -> None:
    assert "pytest_taskleak" in socket.socket.__init__.__code__.co_filename
    with socket.socket():
        assert len(births(lab)) == 1
