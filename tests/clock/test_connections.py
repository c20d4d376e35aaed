"""A timeout never fires early because the clock jumped over something on a socket or a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak import FakeClock
from pytest_taskleak.loops.errors import DeadlockError, ExternalWorkTimeout, TimeWentReal
from pytest_taskleak.loops.stats import Stats

MEGABYTES = 20
LATENCY = "0.02"
SERVER = """
import socket, sys, threading, time
latency = float(sys.argv[1])
tcp = socket.create_server(("127.0.0.1", 0))
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(tcp.getsockname())
print(tcp.getsockname()[1], flush=True)
clients = []
def echo(client):
    try:
        while data := client.recv(1000):
            time.sleep(latency)
            for other in clients if data.startswith(b"all") else [client]:
                other.sendall(data)
    except OSError:
        pass
    if client in clients:
        clients.remove(client)
    time.sleep(latency)
    for other in list(clients):
        other.sendall(b"gone")
def datagrams():
    while True:
        data, address = udp.recvfrom(1000)
        time.sleep(latency)
        udp.sendto(data, address)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    client, _ = tcp.accept()
    clients.append(client)
    threading.Thread(target=echo, args=(client,), daemon=True).start()
"""
Story = Callable[[FakeClock], Awaitable[Any]]


def run(story: Story, **options: Any) -> Stats:
    """Run a story under a clock, and say what the clock did."""

    async def main() -> Stats:
        async with FakeClock(**options) as clock:
            await story(clock)
        return clock.stats

    return asyncio.run(main())


@contextlib.contextmanager
def outside(latency: str = LATENCY) -> Iterator[int]:
    """Run a server in another process, which answers everything after so many seconds."""
    process = subprocess.Popen([sys.executable, "-c", SERVER, latency], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int = 5) -> None:
    writer.write(b"x" * size)
    assert await reader.readexactly(size) == b"x" * size


async def close(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


# --- within this process ------------------------------------------------------------------------


def test_a_server_in_this_process_answers_at_once() -> None:
    async def story(clock: FakeClock) -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for _ in range(200):
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await ask(reader, writer)
                await close(writer)
        await asyncio.sleep(60)
        server.close()
        await server.wait_closed()
        assert clock.elapsed == 60

    assert "peer" not in run(story).real_wait


def test_so_it_does_over_ipv6_with_ipv4() -> None:
    async def story(clock: FakeClock) -> None:
        own = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        server = await asyncio.start_server(echo, sock=own)
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection("127.0.0.1", own.getsockname()[1])
            await ask(reader, writer)
            await asyncio.sleep(0.5)
            await close(writer)
        server.close()
        await server.wait_closed()

    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    assert "peer" not in run(story).real_wait


def test_connections_that_find_a_full_queue_are_made_in_time() -> None:
    async def story(clock: FakeClock) -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=3)

        async def one() -> None:
            async with asyncio.timeout(0.5):  # the system tries again after one second
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                await ask(reader, writer)
                await close(writer)

        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(one())
        server.close()
        await server.wait_closed()

    assert "peer" not in run(story).real_wait


def test_where_the_system_does_not_count_a_moment_is_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(clock: FakeClock) -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(20):
            async with asyncio.timeout(1):
                await ask(reader, writer)
                await asyncio.sleep(0.5)
        await close(writer)
        server.close()
        await server.wait_closed()

    monkeypatch.setattr("pytest_taskleak.loops.descriptors.INFO", None)
    real_wait = run(story).real_wait
    assert "loopback" in real_wait
    assert "peer" not in real_wait


@pytest.fixture(params=[True, False])
def diagnosis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without what Linux tells of Unix sockets."""
    if not request.param:
        monkeypatch.setattr("pytest_taskleak.loops.descriptors.peer_inode", lambda inode: None)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-days",
        "2",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", f"{path}.key", "-out", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl makes no certificate here")
    path.write_text(path.read_text() + Path(f"{path}.key").read_text())
    return path


def test_tls_works_within_its_timeout(certificate: Path) -> None:
    async def story(clock: FakeClock) -> None:
        ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ours.load_cert_chain(certificate)
        theirs = ssl.create_default_context(cafile=str(certificate))
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=ours)
        port = server.sockets[0].getsockname()[1]
        for _ in range(5):
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=theirs, server_hostname="localhost"
                )
                await ask(reader, writer, 100_000)
                await close(writer)
        server.close()
        await server.wait_closed()

    assert "peer" not in run(story).real_wait


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
def test_unix_sockets_do_not_wait(tmp_path: Path, diagnosis: None) -> None:
    async def story(clock: FakeClock) -> None:
        server = await asyncio.start_unix_server(echo, str(tmp_path / "s"))
        for _ in range(20):
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
                await ask(reader, writer)
                await asyncio.sleep(0.5)
                await close(writer)
        server.close()
        await server.wait_closed()
        assert clock.elapsed == 10

    assert "peer" not in run(story).real_wait


def test_a_socket_pair_does_not_wait(diagnosis: None) -> None:
    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        one, other = socket.socketpair()
        with one, other:
            one.setblocking(False)
            other.setblocking(False)
            for _ in range(20):
                async with asyncio.timeout(1):
                    heard = asyncio.create_task(loop.sock_recv(other, 100))
                    await asyncio.sleep(0.5)
                    await loop.sock_sendall(one, b"hello")
                    assert await heard == b"hello"
        assert clock.elapsed == 10

    assert "peer" not in run(story).real_wait


class Echo(asyncio.DatagramProtocol):
    """Sends back what it gets, or remembers it."""

    def __init__(self, heard: asyncio.Queue[bytes] | None = None) -> None:
        self.heard = heard

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.heard is None:
            self.transport.sendto(data, addr)
        else:
            self.heard.put_nowait(data)


@pytest.mark.parametrize("connected", [True, False])
def test_datagrams_within_this_process_do_not_wait(connected: bool) -> None:
    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        server, _ = await loop.create_datagram_endpoint(Echo, ("127.0.0.1", 0))
        address = server.get_extra_info("sockname")
        way: dict[str, Any] = {"remote_addr": address} if connected else {"local_addr": ("127.0.0.1", 0)}
        client, _ = await loop.create_datagram_endpoint(lambda: Echo(heard), **way)
        for _ in range(20):
            async with asyncio.timeout(1):
                client.sendto(b"hello", None if connected else address)
                assert await heard.get() == b"hello"
                await asyncio.sleep(0.5)
        client.close()
        server.close()

    assert "peer" not in run(story).real_wait


def test_pipes_within_this_process_do_not_wait() -> None:
    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        reader = asyncio.StreamReader()
        with open(reading, "rb") as source, open(writing, "wb") as target:
            incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
            outgoing, _ = await loop.connect_write_pipe(asyncio.Protocol, target)
            for _ in range(20):
                async with asyncio.timeout(1):
                    outgoing.write(b"hello")
                    assert await reader.readexactly(5) == b"hello"
                    await asyncio.sleep(0.5)
            outgoing.close()
            incoming.close()
            await asyncio.sleep(0)

    assert "peer" not in run(story).real_wait


def test_a_slow_reader_gets_everything_in_time() -> None:
    async def story(clock: FakeClock) -> None:
        async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(MEGABYTES):
                writer.write(bytes(1_000_000))
                await writer.drain()
            await close(writer)

        server = await asyncio.start_server(pour, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        got = 0
        while got < MEGABYTES * 1_000_000:
            async with asyncio.timeout(0.001):
                got += len(await reader.read(1_000_000))
            if got % 7 == 0:
                await asyncio.sleep(10)
        await close(writer)
        server.close()
        await server.wait_closed()

    assert "peer" not in run(story).real_wait


def test_a_reader_that_reads_no_more_stops_nobody_elses_time() -> None:
    async def story(clock: FakeClock) -> None:
        done = asyncio.Event()

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await done.wait()
            writer.transport.abort()

        server = await asyncio.start_server(deaf, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(bytes(MEGABYTES * 1_000_000))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await writer.drain()
        for _ in range(100):
            await asyncio.sleep(1)
        assert clock.elapsed == 130
        writer.transport.abort()
        done.set()
        server.close()
        await server.wait_closed()

    stats = run(story)
    assert "peer" not in stats.real_wait
    assert stats.real_wait.get("loopback", 0) < 1


# --- with somebody outside ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latency", "options"), [(LATENCY, {}), ("0.2", {"io_grace": 0.5}), ("0.2", {"io": "freeze"})]
)
def test_an_answer_from_outside_is_waited_for(latency: str, options: dict[str, Any]) -> None:
    async def story(clock: FakeClock) -> None:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await ask(reader, writer)
            await ask(reader, writer)
        await close(writer)

    with outside(latency) as port:
        assert run(story, **options).real_wait["peer"] >= 0.01


def test_io_ignore_never_waits() -> None:
    async def story(clock: FakeClock) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await ask(reader, writer)
        await close(writer)

    with outside("30") as port:
        assert run(story, io="ignore").real_wait == {}


def test_io_freeze_lets_time_stand_and_says_for_whom() -> None:
    async def story(clock: FakeClock) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.sleep(1)
        finally:
            await close(writer)

    with (
        outside() as port,
        pytest.raises(
            ExternalWorkTimeout, match=rf"an answer from 127.0.0.1:{port} may come \(socket, fd \d+\)"
        ),
    ):
        run(story, io="freeze", hang_after=0.2)


def test_strict_makes_an_error_of_the_wait() -> None:
    async def story(clock: FakeClock) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.sleep(1)
        finally:
            await close(writer)

    with (
        outside() as port,
        pytest.raises(TimeWentReal, match=f"jumped while an answer from 127.0.0.1:{port} may be pending"),
    ):
        run(story, strict=True)


def test_strict_has_nothing_against_a_server_in_this_process() -> None:
    async def story(clock: FakeClock) -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(1):
            await ask(reader, writer)
            await asyncio.sleep(0.5)
        await close(writer)
        server.close()
        await server.wait_closed()

    run(story, strict=True)


def test_heartbeats_beside_an_idle_connection_pay_once() -> None:
    async def story(clock: FakeClock) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3_600):
            await asyncio.sleep(1)
        await close(writer)

    with outside() as port:
        stats = run(story)
    assert stats.real_wait["peer"] < 2  # 360 s if each tick paid


def test_so_do_polls_of_a_silent_socket() -> None:
    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as own:
            own.setblocking(False)
            await loop.sock_connect(own, ("127.0.0.1", port))
            for _ in range(100):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1):
                        await loop.sock_recv(own, 100)

    with outside() as port:
        stats = run(story)
    assert stats.real_wait["peer"] < 2  # 10 s if each poll paid


def test_what_was_asked_before_a_sleep_is_waited_for_after_it() -> None:
    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as own:
            own.setblocking(False)
            await loop.sock_connect(own, ("127.0.0.1", port))
            for _ in range(3):
                await loop.sock_sendall(own, b"hello")
                await asyncio.sleep(5)
                async with asyncio.timeout(1):
                    assert await loop.sock_recv(own, 100) == b"hello"

    with outside() as port:
        run(story)


def test_what_is_asked_over_one_connection_may_be_answered_over_another() -> None:
    async def story(clock: FakeClock) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await ask(reader, writer)
        await asyncio.sleep(60)
        asking, other = await asyncio.open_connection("127.0.0.1", port)
        other.write(b"all hear")
        await asking.readexactly(8)
        assert await reader.readexactly(8) == b"all hear"
        await asyncio.sleep(60)
        async with asyncio.timeout(1):
            await close(other)  # the server tells that the other one is gone
            assert await reader.readexactly(4) == b"gone"
        await close(writer)

    with outside() as port:
        run(story)


def test_a_bare_socket_that_a_callback_reads_is_seen() -> None:
    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        with socket.create_connection(("127.0.0.1", port)) as own:
            own.setblocking(False)
            loop.add_reader(own, lambda: heard.put_nowait(own.recv(100)))
            for _ in range(3):
                async with asyncio.timeout(1):
                    own.send(b"hello")
                    assert await heard.get() == b"hello"
                await asyncio.sleep(60)
            loop.remove_reader(own)

    with outside() as port:
        run(story)


def test_datagrams_to_somebody_outside_are_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        client, _ = await loop.create_datagram_endpoint(lambda: Echo(heard), ("127.0.0.1", 0))
        for _ in range(3):
            async with asyncio.timeout(1):
                client.sendto(b"hello", ("127.0.0.1", port))
                assert await heard.get() == b"hello"
            await asyncio.sleep(60)
        client.close()

    with outside() as port:
        run(story)


@pytest.mark.skipif(sys.platform == "win32", reason="hands a socket to a child")
def test_a_socket_pair_whose_other_end_a_child_has_leads_outside(diagnosis: None) -> None:
    code = "import socket, sys, time; s = socket.socket(fileno=int(sys.argv[1])); s.recv(9); time.sleep(.02); s.sendall(b'yes')"

    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(1):
            await loop.sock_sendall(ours, b"hello")
            assert await loop.sock_recv(ours, 100) == b"yes"

    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            ours.setblocking(False)
            command = [sys.executable, "-S", "-c", code, str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        run(story, io_grace=2)
        process.wait()


def test_a_connection_that_is_older_than_the_clock_counts() -> None:
    async def main() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        async with FakeClock() as clock, asyncio.timeout(1):
            assert await reader.readexactly(5) == b"hello"
        assert clock.stats.real_wait["peer"] > 0
        await close(writer)

    with outside() as port:
        asyncio.run(main())


# --- when nobody waits for a time ---------------------------------------------------------------


def test_an_answer_is_waited_for_without_any_timer() -> None:
    async def story(clock: FakeClock) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await ask(reader, writer)
        await close(writer)

    with outside("0.2") as port:
        run(story, io_grace=0.01)


def test_a_server_to_which_nobody_connects_is_named() -> None:
    async def story(clock: FakeClock) -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            await server.serve_forever()

    began = time.monotonic()
    with pytest.raises(DeadlockError, match=r"a server listens at 127.0.0.1:\d+"):
        run(story)
    assert time.monotonic() - began < 4


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_from_outside_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        heard = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, heard.set)
        with subprocess.Popen(["sh", "-c", f"sleep 0.05; kill -USR1 {os.getpid()}"]):
            await heard.wait()
            asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)

    run(story)


# --- leaving no trace ---------------------------------------------------------------------------


def test_every_method_is_put_back() -> None:
    def all_methods() -> dict[str, Any]:
        kinds = (socket.socket, *asyncio.SelectorEventLoop.__mro__)
        return {f"{kind.__qualname__}.{name}": value for kind in kinds for name, value in vars(kind).items()}

    async def story(clock: FakeClock) -> None:
        assert all_methods() != before
        await asyncio.sleep(1)

    before = all_methods()
    run(story)
    assert all_methods() == before
