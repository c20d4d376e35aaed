# expect: clean
# why: a cancelled task has no exception, whoever looks
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

KEPT: list[asyncio.Task[None]] = []


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_cancels() -> None:
    task = asyncio.create_task(forever())
    KEPT.append(task)
    await asyncio.sleep(0)
    task.cancel()


async def test_cancels_before_it_starts() -> None:
    asyncio.create_task(forever()).cancel()
    await asyncio.sleep(0)


async def test_asks_the_cancelled_in_a_callback() -> None:
    task = asyncio.create_task(forever())
    task.add_done_callback(lambda done: done.exception())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_connection_of_a_server_that_stops() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        KEPT.append(asyncio.current_task())  # type: ignore[arg-type]
        writer.write(b"x")
        try:
            await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    await reader.read(1)
    KEPT[-1].cancel()
    await asyncio.sleep(0.01)
    writer.close()
    await writer.wait_closed()
    server.close()
