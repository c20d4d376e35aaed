"""What is each step of a run called, so that a token finds it again?"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from pytest_taskleak.engine.unwatched import unwatched
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.places import worded
from pytest_taskleak.storm.sweep import Sweep, installed

EAGER: Any = getattr(asyncio, "eager_task_factory", None)


def labels(main: Callable[..., Any], load: Any = None) -> list[str]:
    """Return what the steps of a main coroutine's baseline are called."""
    sweep = Sweep(maker(main), load, "main", ())
    with unwatched(), installed(sweep.primitives):
        return [step.label for step in sweep.baseline(0).steps]


async def wait_for(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), 0.2)


async def in_timeout(event: asyncio.Event) -> None:
    async with asyncio.timeout(0.2):
        await event.wait()


async def in_wait(event: asyncio.Event) -> None:
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait([waiting], timeout=0.2)
    waiting.cancel()


async def sleeps(_event: asyncio.Event) -> None:
    await asyncio.sleep(0.2)


async def for_a_result(_event: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    result = loop.create_future()
    loop.call_later(0.2, result.set_result, None)
    await result


async def in_a_pool(_event: asyncio.Event) -> None:
    await asyncio.to_thread(int)


@pytest.mark.parametrize(
    ("waits", "line"),
    [(sleeps, 1), (wait_for, 1), (in_timeout, 2), (in_wait, 2), (for_a_result, 4), (in_a_pool, 1)],
)
def test_a_timer_is_called_by_whom_it_wakes(waits: Any, line: int) -> None:
    async def main() -> None:
        event = asyncio.Event()
        try:
            await asyncio.create_task(waits(event), name="who-waits")
        except TimeoutError:
            return

    found = labels(main)
    stands = f"who-waits@{waits.__name__}+{line}"
    assert f"{stands}:woken" in found
    assert found.index(stands) < found.index(f"{stands}:woken") < found.index("who-waits@ended")
    assert not [label for label in found if "unless_cancelled" in label or "_release" in label], found


def test_what_is_told_of_an_end_is_called_by_who_ended() -> None:
    def users(_task: Any) -> None:
        return

    async def work() -> None:
        await asyncio.sleep(0.1)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(work(), name="a").add_done_callback(users)
            group.create_task(work(), name="b")
        await asyncio.gather(*[asyncio.create_task(work(), name=name) for name in "cd"])

    found = labels(main)
    for name in "ab":
        assert f"{name}@ended:TaskGroup._on_task_done" in found
    for name in "cd":
        assert f"{name}@ended:gather._done_callback" in found
    assert "a@ended:test_what_is_told_of_an_end_is_called_by_who_ended.users" in found


def test_what_nobody_waits_for_is_called_by_its_own_name() -> None:
    async def main() -> None:
        def late() -> None:
            return

        asyncio.get_running_loop().call_later(0.1, late)
        await asyncio.sleep(0.2)

    assert "test_what_nobody_waits_for_is_called_by_its_own_name.main.late" in labels(main)


def test_what_a_callback_of_the_user_knows_is_not_looked_at() -> None:
    async def main() -> None:
        ended = asyncio.create_task(asyncio.sleep(0), name="ended-before")
        await ended
        asyncio.get_running_loop().call_later(0.1, lambda: print(ended.done()))
        await asyncio.sleep(0.2)

    assert "test_what_a_callback_of_the_user_knows_is_not_looked_at.main.lambda" in labels(main)


def test_a_task_without_a_name_is_called_by_what_it_runs() -> None:
    async def unnamed() -> None:
        await asyncio.sleep(0.1)

    async def main() -> None:
        await asyncio.create_task(unnamed())

    found = labels(main)
    here = "test_a_task_without_a_name_is_called_by_what_it_runs.unnamed"
    assert {f"{here}@{here}+1", f"{here}@{here}+1:woken", f"{here}@ended"} <= set(found)
    assert not [label for label in found if "Task-" in label or label.startswith("task")]


def test_code_of_the_standard_library_has_no_lines() -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        getting = asyncio.create_task(queue.get())
        asyncio.get_running_loop().call_later(0.1, queue.put_nowait, 1)
        await getting

    found = labels(main)
    assert "Queue.get@Queue.get" in found
    assert not [label for label in found if "Queue.get+" in label]


def test_a_comprehension_is_part_of_its_function() -> None:
    async def main() -> None:
        _ = [await asyncio.sleep(0.1, number) for number in range(2)]

    here = "test_a_comprehension_is_part_of_its_function.main+1"
    assert any(label.endswith(f"@{here}") for label in labels(main))


def test_wait_for_names_no_helper_of_its_own() -> None:
    async def inner() -> None:
        await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)

    async def main() -> None:
        async def outer() -> None:
            await asyncio.wait_for(inner(), 1.0)

        await asyncio.create_task(outer(), name="bounded")

    here = "bounded@test_wait_for_names_no_helper_of_its_own.inner+"
    found = [label for label in labels(main) if label.startswith(here)]
    assert found == [f"{here}1", f"{here}1:woken", f"{here}2", f"{here}2:woken"]


def test_the_storm_has_no_names_of_its_own_in_it() -> None:
    async def main() -> None:
        await asyncio.sleep(10)

    async def load(_main: Any) -> None:
        return

    found = labels(main, load)
    assert {"load@ended:storm", "storm"} <= set(found)
    assert not [label for label in found if "Run." in label or "HermeticLoop" in label]


@pytest.mark.parametrize(
    ("label", "word"),
    [
        ("worker-0@Service.work+3", "worker-0@Service.work+3"),
        ("GET /users/{id}@Shop.get+3", "GET_/users/_id@Shop.get+3"),
        ("a@outer.<locals>.<lambda>", "a@outer.lambda"),
        ("a@f.<locals>.<genexpr>+1:woken", "a@f.genexpr+1:woken"),
        ("<coroutine object Service.work>@Service.work+1", "coroutine_object_Service.work@Service.work+1"),
        ("it's $HOME; `rm` #1 [x] ~\t*?@f+0", "it_s_HOME_rm_1_x@f+0"),
        ("a~b@f+0", "a_b@f+0"),
        ("über@f+0", "über@f+0"),
    ],
)
def test_a_label_is_one_word_for_a_shell(label: str, word: str) -> None:
    assert worded(label) == word
    assert worded(word) == word
    if word.isascii():
        assert shlex.split(f"--taskleak-replay=stop@{word}~0") == [f"--taskleak-replay=stop@{word}~0"]
        assert set("'\"$`\\;&|<>(){}[]*?!#~ ").isdisjoint(word)


def test_two_names_that_read_alike_are_counted_together() -> None:
    async def work() -> None:
        await asyncio.sleep(0.1)

    async def main() -> None:
        for name in ("a b", "a{b"):
            await asyncio.create_task(work(), name=name)

    sweep = Sweep(maker(main), None, "main", ())
    with unwatched(), installed(sweep.primitives):
        steps = sweep.baseline(0).steps
    assert [step.occurrence for step in steps if step.label == "a_b@ended"] == [0, 1]
    assert len({(step.label, step.occurrence) for step in steps}) == len(steps)


@pytest.mark.skipif(EAGER is None, reason="eager tasks came with 3.12")
def test_eager_tasks_have_their_labels() -> None:
    async def work() -> None:
        await asyncio.sleep(0.1)

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(EAGER)
        await asyncio.create_task(work(), name="eager")

    found = labels(main)
    here = "eager@test_eager_tasks_have_their_labels.work+1"
    assert "eager@ended" in found
    assert f"{here}:woken" in found, found
