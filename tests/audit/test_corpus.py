"""What becomes of each reference, snippet by snippet, and does ruff's RUF006 say the same where it speaks?

A comment `#>` on the line of a call says what the audit must make of it: the fate, then `ruff` where RUF006 speaks.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pytest_taskleak.audit.scan import Scan
from pytest_taskleak.audit.sites import Site
from pytest_taskleak.audit.source import Source

MARK = re.compile(r"#> (?P<how>\w+)(?P<ruff> ruff)?(?P<late> late)?(?P<unsure> unsure)?(?P<meant> meant)?")
PRELUDE = "import asyncio\nimport functools\nimport threading\nimport weakref\n\n\n"

SNIPPETS: dict[str, str] = {
    "bare": """
        def f():
            asyncio.create_task(work())  #> dropped ruff
            asyncio.ensure_future(work())  #> dropped ruff
    """,
    "bare-in-a-module": """
        asyncio.create_task(work())  #> dropped ruff
    """,
    "bare-in-a-class": """
        class A:
            asyncio.create_task(work())  #> dropped ruff
    """,
    "imported-name": """
        from asyncio import create_task as spawn, ensure_future

        def f():
            spawn(work())  #> dropped ruff
            ensure_future(work())  #> dropped ruff
    """,
    "imported-module": """
        import asyncio as aio

        def f():
            aio.create_task(work())  #> dropped ruff
    """,
    "multi-line": """
        def f():
            asyncio.create_task(  #> dropped ruff
                work(
                    1,
                ),
                name="a",
            )
    """,
    "loop": """
        def f():
            loop = asyncio.get_running_loop()
            loop.create_task(work())  #> dropped ruff
    """,
    "new-loop": """
        def f():
            loop = asyncio.new_event_loop()
            loop.create_task(work())  #> dropped ruff
    """,
    "event-loop": """
        def f():
            loop: asyncio.AbstractEventLoop = asyncio.get_event_loop()
            task = loop.create_task(work())  #> local ruff
    """,
    "loop-by-its-name": """
        def f(loop):
            loop.create_task(work())  #> dropped
    """,
    "loop-of-self": """
        class A:
            def f(self):
                self._loop.create_task(work())  #> dropped
    """,
    "loop-at-once": """
        def f():
            asyncio.get_running_loop().create_task(work())  #> dropped
    """,
    "awaited": """
        async def f():
            await asyncio.create_task(work())  #> awaited
            task = asyncio.create_task(work())  #> awaited
            await task
    """,
    "awaited-later-in-a-branch": """
        async def f(x):
            if x:
                task = asyncio.create_task(work())  #> awaited
            else:
                task = asyncio.create_task(work())  #> awaited
            await task
    """,
    "never-used": """
        def f():
            task = asyncio.create_task(work())  #> local ruff
    """,
    "never-used-annotated": """
        def f():
            task: asyncio.Task = asyncio.create_task(work())  #> local ruff
    """,
    "never-used-in-branches": """
        def f(x):
            if x:
                task = asyncio.create_task(work())  #> local ruff
            else:
                task = asyncio.ensure_future(work())  #> local ruff
    """,
    "underscore": """
        def f():
            _ = asyncio.create_task(work())  #> dropped ruff
    """,
    "two-targets": """
        def f():
            a = b = asyncio.create_task(work())  #> local
    """,
    "unpacked": """
        def f():
            a, b = asyncio.create_task(work()), 1  #> local
    """,
    "walrus": """
        def f():
            (task := asyncio.create_task(work()))  #> local
    """,
    "overwritten": """
        async def f():
            task = asyncio.create_task(work())  #> overwritten
            task = asyncio.create_task(work())  #> awaited
            await task
    """,
    "overwritten-and-never-used": """
        async def f():
            task = asyncio.create_task(work())  #> overwritten ruff
            task = asyncio.create_task(work())  #> local ruff
    """,
    "bound-again-by-an-unpacking": """
        async def f():
            task = asyncio.create_task(work())  #> overwritten ruff
            task, other = 1, 2

        async def g():
            task = asyncio.create_task(work())  #> overwritten ruff
            [task, *other] = make()
    """,
    "bound-again-otherwise": """
        async def of_for():
            task = asyncio.create_task(work())  #> local
            for task in make():
                pass

        async def of_with():
            task = asyncio.create_task(work())  #> local
            with make() as task:
                pass

        async def of_walrus():
            task = asyncio.create_task(work())  #> local
            (task := 1)

        async def of_annotation():
            task = asyncio.create_task(work())  #> local ruff
            task: int

        async def of_two():
            task = asyncio.create_task(work())  #> overwritten ruff
            task = other = 1
    """,
    "used-then-overwritten": """
        async def f():
            task = asyncio.create_task(work())  #> awaited
            await task
            task = asyncio.create_task(work())  #> local
    """,
    "a-parameter-bound-again": """
        async def f(task):
            await task
            task = asyncio.create_task(work())  #> local
    """,
    "a-loop-that-sees-to-the-former": """
        async def f():
            while True:
                if task:
                    task.cancel()
                task = asyncio.create_task(work())  #> local ruff
    """,
    "a-loop-over-a-name-that-was-bound": """
        async def f():
            task = None
            while True:
                if task:
                    task.cancel()
                task = asyncio.create_task(work())  #> ended
    """,
    "an-alias-of-a-kept-set": """
        class A:
            def f(self):
                tasks = self.tasks
                tasks.add(asyncio.create_task(work()))  #> kept
    """,
    "a-circle-of-names": """
        def f():
            a = asyncio.create_task(work())  #> local
            while True:
                b = a
                a = b
    """,
    "deleted": """
        def f():
            task = asyncio.create_task(work())  #> local
            del task
    """,
    "in-a-nested-function": """
        def f():
            async def g():
                task = asyncio.create_task(work())  #> local ruff

            return g
    """,
    "used-by-an-inner-function-only": """
        def f():
            task = asyncio.create_task(work())  #> kept
            return lambda: task.done()
    """,
    "in-a-module": """
        task = asyncio.create_task(work())  #> local ruff
    """,
    "in-a-class": """
        class A:
            task = asyncio.create_task(work())  #> local ruff
    """,
    "overwritten-by-the-loop": """
        async def f(xs):
            for x in xs:
                task = asyncio.create_task(work(x))  #> overwritten
            await task
    """,
    "loop-left-at-once": """
        async def f(xs):
            for x in xs:
                task = asyncio.create_task(work(x))  #> awaited
                break
            await task
    """,
    "loop-cancels-the-former": """
        async def f(xs):
            task = None
            for x in xs:
                if task:
                    task.cancel()
                task = asyncio.create_task(work(x))  #> awaited
            await task
    """,
    "global": """
        TASK = None

        def f():
            global TASK
            TASK = asyncio.create_task(work())  #> kept
    """,
    "nonlocal": """
        def outer():
            task = None

            def inner():
                nonlocal task
                task = asyncio.create_task(work())  #> kept

            return inner
    """,
    "captured": """
        def outer():
            task = asyncio.create_task(work())  #> kept

            def inner():
                return task

            return inner
    """,
    "only-a-callback": """
        def f(self):
            task = asyncio.create_task(work())  #> local
            task.add_done_callback(self.done)
    """,
    "only-a-callback-at-once": """
        def f(self):
            asyncio.create_task(work()).add_done_callback(self.done)  #> dropped
    """,
    "only-discarded": """
        TASKS = set()

        def f():
            task = asyncio.create_task(work())  #> local
            task.add_done_callback(TASKS.discard)
    """,
    "kept-in-a-set": """
        TASKS = set()

        def f():
            task = asyncio.create_task(work())  #> kept
            TASKS.add(task)
            task.add_done_callback(TASKS.discard)
    """,
    "kept-in-a-set-of-self": """
        class A:
            def f(self):
                task = asyncio.create_task(work())  #> kept
                self.tasks.add(task)
    """,
    "kept-weakly": """
        class A:
            def __init__(self):
                self.tasks = weakref.WeakSet()

            def f(self):
                self.tasks.add(asyncio.create_task(work()))  #> weak
    """,
    "a-local-set": """
        def f():
            tasks = set()
            for i in range(10):
                task = asyncio.create_task(work(i))  #> local
                tasks.add(task)
                task.add_done_callback(tasks.discard)
    """,
    "a-list-nobody-awaits": """
        def f(xs):
            tasks = []
            for x in xs:
                tasks.append(asyncio.create_task(work(x)))  #> local
            print(len(tasks))
    """,
    "a-list-that-is-gathered": """
        async def f(xs):
            tasks = []
            for x in xs:
                tasks.append(asyncio.create_task(work(x)))  #> awaited
            await asyncio.gather(*tasks)
    """,
    "a-list-that-is-awaited-one-by-one": """
        async def f(xs):
            tasks = [asyncio.create_task(work(x)) for x in xs]  #> awaited
            for task in tasks:
                await task
    """,
    "a-list-awaited-in-a-comprehension": """
        async def f(xs):
            tasks = [asyncio.create_task(work(x)) for x in xs]  #> awaited
            return [await task for task in tasks]
    """,
    "a-list-never-used": """
        def f(xs):
            tasks = [asyncio.create_task(work(x)) for x in xs]  #> local
    """,
    "a-dict": """
        async def f(xs):
            tasks = {}
            for x in xs:
                tasks[x] = asyncio.create_task(work(x))  #> awaited
            await asyncio.wait(tasks.values())
    """,
    "a-dict-by-key": """
        async def f(xs):
            by_task = {asyncio.create_task(work(x)): x for x in xs}  #> awaited
            done, _ = await asyncio.wait(by_task)
    """,
    "a-dict-of-self": """
        class A:
            def f(self, key):
                self.tasks[key] = asyncio.create_task(work())  #> kept
    """,
    "wait-at-once": """
        async def f(clients):
            await asyncio.wait([asyncio.create_task(client.close()) for client in clients])  #> awaited
    """,
    "wait-for": """
        async def f():
            await asyncio.wait_for(asyncio.create_task(work()), 1)  #> awaited
    """,
    "gathered-and-forgotten": """
        async def f():
            asyncio.gather(asyncio.create_task(work()))  #> dropped
    """,
    "polled": """
        async def f():
            task = asyncio.create_task(work())  #> awaited
            while not task.done():
                await asyncio.sleep(0)
    """,
    "cancelled-at-the-end": """
        async def f():
            task = asyncio.create_task(work())  #> ended
            try:
                yield
            finally:
                task.cancel()
    """,
    "attribute": """
        class A:
            def f(self):
                self.task = asyncio.create_task(work())  #> kept
    """,
    "attribute-by-a-name": """
        class A:
            def f(self):
                task = asyncio.create_task(work())  #> kept
                self.task = task
    """,
    "kept-late": """
        class A:
            async def f(self):
                task = asyncio.create_task(work())  #> kept late
                await asyncio.sleep(0)
                self.tasks.add(task)
    """,
    "returned": """
        def f():
            return asyncio.create_task(work())  #> returned

        def g():
            task = asyncio.create_task(work())  #> returned
            task.add_done_callback(print)
            return task
    """,
    "handed-on": """
        def f():
            track(asyncio.create_task(work()))  #> handed
    """,
    "handed-on-by-a-name": """
        def f():
            task = asyncio.create_task(work())  #> handed
            track(task)
    """,
    "logged": """
        def f(logger):
            task = asyncio.create_task(work())  #> local
            logger.info("made %s", task)
    """,
    "lambda": """
        def f(loop):
            loop.call_soon(lambda: asyncio.create_task(work()))  #> dropped
    """,
    "function-handed-on": """
        def f(loop):
            loop.call_soon(asyncio.create_task, work())  #> dropped
    """,
    "group": """
        async def f():
            async with asyncio.TaskGroup() as tg:
                tg.create_task(work())  #> group
    """,
    "group-by-annotation": """
        async def f(children: asyncio.TaskGroup):
            children.create_task(work())  #> group
    """,
    "group-by-name": """
        async def f(tg):
            tg.create_task(work())  #> group
    """,
    "group-of-self": """
        class A:
            async def start(self, stack):
                self.children = await stack.enter_async_context(asyncio.TaskGroup())
                self.children.create_task(work())  #> group
    """,
    "anyio": """
        import anyio

        async def f():
            async with anyio.create_task_group() as children:
                children.start_soon(work)  #> group
    """,
    "alias": """
        spawn = asyncio.create_task

        def f():
            spawn(work())  #> dropped
    """,
    "getattr": """
        spawn = getattr(asyncio, "create_task")

        def f():
            spawn(work())  #> dropped
    """,
    "unknown-receiver": """
        def f(bot):
            bot.create_task(work())  #> dropped unsure
    """,
    "other-create-task": """
        def f(client):
            client.create_task(title="buy milk")
            client.create_task("buy milk")
            client.create_task(project, "buy milk")
    """,
    "noqa": """
        def f():
            asyncio.create_task(work())  # noqa: RUF006 #> dropped meant
            asyncio.create_task(work())  # noqa: E501, RUF006 #> dropped meant
            asyncio.create_task(work())  # noqa #> dropped meant
            asyncio.create_task(work())  # noqa: E501 #> dropped ruff
    """,
    "noqa-says-nothing-of-what-ruff-does-not-see": """
        def f(loop):
            loop.create_task(work())  # noqa: RUF006 #> dropped
    """,
    "noqa-file": """
        # ruff: noqa: RUF006

        def f():
            asyncio.create_task(work())  #> dropped meant
    """,
    "timers": """
        def f(loop):
            loop.call_later(1, print)  #> dropped
            handle = loop.call_at(1, print)  #> ended
            handle.cancel()

        class A:
            def f(self, loop):
                self.handle = loop.call_later(1, print)  #> kept
    """,
    "threads": """
        def f():
            threading.Thread(target=print).start()  #> dropped
            thread = threading.Thread(target=print)  #> ended
            thread.start()
            thread.join()
            other = threading.Timer(1, print)  #> local
            other.start()
    """,
    "thread-kept-after-its-start": """
        class A:
            def f(self):
                thread = threading.Thread(target=print)  #> kept late
                thread.start()
                self.threads.append(thread)
    """,
    "threadsafe": """
        def f(loop):
            asyncio.run_coroutine_threadsafe(work(), loop)  #> dropped
            asyncio.run_coroutine_threadsafe(work(), loop).result()  #> awaited
    """,
}


def text_of(name: str) -> str:
    return PRELUDE + textwrap.dedent(SNIPPETS[name]).strip() + "\n"


def scanned(name: str) -> list[Site]:
    return Scan(Source(f"{name}.py", text_of(name)), name).sites


def shown(site: Site) -> str:
    words = [
        site.fate.how,
        "ruff" if site.ruff and not site.excuse else "",
        "late" if site.fate.late else "",
        "" if site.sure else "unsure",
        "meant" if site.excuse else "",
    ]
    return " ".join(word for word in words if word)


def expected(text: str) -> dict[int, str]:
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = MARK.search(line)
        if match is not None:
            found[number] = match[0].removeprefix("#> ")
    return found


@pytest.mark.parametrize("name", SNIPPETS)
def test_what_becomes_of_the_reference(name: str) -> None:
    assert {site.line: shown(site) for site in scanned(name)} == expected(text_of(name))


@pytest.mark.skipif(
    not (Path(sys.executable).parent / "ruff").exists() and shutil.which("ruff") is None, reason="needs ruff"
)
def test_ruff_says_the_same_where_it_speaks(tmp_path: Path) -> None:
    """RUF006 is to be foretold exactly, and the audit must not be content with what RUF006 complains of."""
    for name in SNIPPETS:
        (tmp_path / f"{name}.py").write_text(text_of(name), encoding="utf-8")
    beside = Path(sys.executable).parent / "ruff"
    ruff = str(beside) if beside.exists() else str(shutil.which("ruff"))
    done = subprocess.run(
        [ruff, "check", "--isolated", "--no-cache", "--select=RUF006", "--output-format=json", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said: dict[str, set[int]] = {name: set() for name in SNIPPETS}
    for entry in json.loads(done.stdout):
        assert entry["code"] == "RUF006", entry
        said[Path(entry["filename"]).stem].add(entry["location"]["row"])
    sites = {name: scanned(name) for name in SNIPPETS}
    foretold = {name: {s.line for s in sites[name] if s.ruff and not s.excuse} for name in SNIPPETS}
    assert foretold == said
    assert sum(map(len, said.values())) > 15
    content = {name for name in SNIPPETS for s in sites[name] if s.line in said[name] and not s.fate.lost}
    assert content == set()
