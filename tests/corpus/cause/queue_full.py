# expect: TL101 test_logs what=produce born=here cause=queue-full finality=stuck
# waits: *Queue*put*
# edge: task 'producer' -> asyncio.Queue* [waits for]
# why: the consumer took one and went; the producer puts on
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def produce(lines: asyncio.Queue[str]) -> None:
    for line in ("one", "two", "three"):
        await lines.put(line)


async def test_logs() -> None:
    lines: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
    TASKS.append(asyncio.create_task(produce(lines), name="producer"))  # born:here
    assert await lines.get() == "one"
    for _ in range(3):
        await asyncio.sleep(0)
    assert lines.full()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
