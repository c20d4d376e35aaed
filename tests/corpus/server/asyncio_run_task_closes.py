# expect: TL102 test_leaves what=serve_until_cancelled
# why: the task that is cut off closes its server, so it is told alone
# runner: asyncio.run
import asyncio


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def serve_until_cancelled() -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", 0):
        await asyncio.Event().wait()


async def main() -> None:
    asyncio.create_task(serve_until_cancelled())
    await asyncio.sleep(0.01)


def test_leaves() -> None:
    asyncio.run(main())
