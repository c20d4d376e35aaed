# expect: TL702 test_raises what=stumbling
# why: what the handler of start_server raises is only logged
# runner: pytest-asyncio function
# needs: pytest-asyncio, python>=3.12
# args: -o asyncio_mode=auto
import asyncio


async def stumbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
    raise ValueError("boom")


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def talk(handler: object) -> bytes:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)  # type: ignore[arg-type]
    host, port = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    return answer


async def test_raises() -> None:
    assert await talk(stumbling) == b""


async def test_neighbour() -> None:
    assert await talk(closing) == b""
