"""A server that acknowledges events at once, stores them in the background, and stops on a signal."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from pytest_taskleak import TrackedTaskGroup


async def main(path: str) -> None:
    """Serve until SIGINT or SIGTERM; print the port first and the numbers of the drain last."""
    stop, group = asyncio.Event(), TrackedTaskGroup("server").open()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with Path(path).open("a", encoding="ascii") as rows:

        async def store(event: str) -> None:
            await asyncio.sleep(0.05)
            rows.write(f"{event}\n")

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                async for line in reader:
                    event = line.decode().split()[1]
                    group.spawn(store(event), name=event)
                    writer.write(f"202 {event}\n".encode())
                    await writer.drain()
            finally:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await stop.wait()
        server.close()
        stats = await group.drain(deadline=5)
    print(json.dumps(asdict(stats)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
