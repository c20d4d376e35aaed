"""Does every way to run a loop get the same verdicts?"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite


def stock_loop() -> str:
    """Return the name of the class of the loops that asyncio makes here."""
    loop = asyncio.new_event_loop()
    loop.close()
    return type(loop).__qualname__


def test_shared_runner_of_the_session(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture(scope="session")
        def runner():
            with asyncio.Runner() as runner:
                yield runner

        async def spawn(name):
            asyncio.create_task(forever(), name=name)

        async def quick():
            await asyncio.create_task(asyncio.sleep(0))

        def test_first(runner):
            runner.run(quick())

        def test_second(runner):
            runner.run(spawn("second"))

        def test_third(runner):
            runner.run(quick())

        def test_fourth(runner):
            runner.run(spawn("fourth"))

        def test_last(runner):
            runner.run(quick())
        """
    )
    assert done.told() == {"test_second": ["TL101 second"], "test_fourth": ["TL101 fourth"]}
    assert done.counts == "2 failed, 3 passed"


@pytest.mark.parametrize("mode", ["auto", "strict"])
@pytest.mark.parametrize("loop_scope", ["function", "class", "module", "session"])
def test_pytest_asyncio_loop_scopes(suite: Suite, mode: str, loop_scope: str) -> None:
    suite.ini["asyncio_mode"] = mode
    done = suite(
        f"""
        import pytest_asyncio

        pytestmark = pytest.mark.asyncio(loop_scope="{loop_scope}")

        @pytest_asyncio.fixture(loop_scope="{loop_scope}")
        async def conn():
            asyncio.create_task(forever(), name="conn")
            yield

        class TestA:
            async def test_leaks(self):
                asyncio.create_task(forever(), name="left")
                asyncio.get_running_loop().call_later(60, print)

            async def test_tidy(self):
                async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(0))

            async def test_fixture(self, conn):
                pass
        """
    )
    told = done.told()
    assert {n: sorted(x.split()[1] for x in w) for n, w in told.items()} == {
        "TestA::test_leaks": ["left", "print"],
        "TestA::test_fixture": ["conn"],
    }
    assert [f["owner"]["kind"] for f in done.findings("TestA::test_fixture")] == ["fixture"]


def test_anyio_shared_runner_task(suite: Suite) -> None:
    pytest.importorskip("anyio")
    suite.plugins = ["anyio", "taskleak"]
    suite.ini.clear()
    done = suite(
        """
        import anyio

        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(scope="module")
        async def server(anyio_backend):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep_forever)
                yield group
                group.cancel_scope.cancel()

        async def test_first(server):
            pass

        async def test_second(server):
            asyncio.create_task(forever(), name="second")

        async def test_third(server):
            with anyio.move_on_after(0.01):
                await anyio.sleep_forever()

        async def test_fourth():
            asyncio.get_running_loop().call_later(60, print)

        async def test_last(server):
            await anyio.to_thread.run_sync(int)
        """,
        process=True,
    )
    assert done.told() == {"test_second": ["TL101 second"], "test_fourth": ["TL201 print"]}, done.out
    assert done.counts == "2 failed, 3 passed"


def test_pytest_aiohttp(suite: Suite) -> None:
    pytest.importorskip("pytest_aiohttp")
    suite.plugins.append("aiohttp")
    done = suite(
        """
        from aiohttp import web

        async def index(request):
            return web.Response(text="ok")

        async def leaky(request):
            asyncio.create_task(forever(), name="by-handler")
            return web.Response(text="ok")

        def app():
            app = web.Application()
            app.router.add_get("/", index)
            app.router.add_get("/leaky", leaky)
            return app

        async def test_tidy(aiohttp_client):
            client = await aiohttp_client(app())
            assert await (await client.get("/")).text() == "ok"

        async def test_leaks(aiohttp_client):
            client = await aiohttp_client(app())
            await client.get("/leaky")
        """,
        process=True,
    )
    assert {n: [x.split()[1] for x in w] for n, w in done.told().items()} == {"test_leaks": ["by-handler"]}


def test_isolated_asyncio_test_case(suite: Suite) -> None:
    done = suite(
        """
        import unittest

        class TestA(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                self.task = asyncio.create_task(forever(), name="closed")

            async def asyncTearDown(self):
                self.task.cancel()
                await asyncio.gather(self.task, return_exceptions=True)

            async def test_tidy(self):
                await asyncio.sleep(0)

            async def test_leaks(self):
                asyncio.create_task(forever(), name="left")
                asyncio.get_running_loop().call_later(60, print)
        """
    )
    assert set(done.told()) == {"TestA::test_leaks"}
    assert sorted(x.split()[1] for x in done.told()["TestA::test_leaks"]) == ["left", "print"]


@pytest.mark.parametrize("factory", ["asyncio.new_event_loop", "uvloop.new_event_loop"])
def test_loops_made_by_hand(suite: Suite, factory: str) -> None:
    if "uvloop" in factory:
        pytest.importorskip("uvloop")
    done = suite(
        f"""
        {"import uvloop" if "uvloop" in factory else ""}

        def test_asyncio_run():
            async def main():
                asyncio.create_task(forever(), name="run")
            with asyncio.Runner(loop_factory={factory}) as runner:
                runner.run(main())

        def test_closed():
            async def main():
                asyncio.create_task(forever(), name="closed")
                asyncio.get_running_loop().call_later(60, print)
            loop = {factory}()
            loop.run_until_complete(main())
            loop.close()

        loops = []

        def test_open():
            async def main():
                asyncio.create_task(forever(), name="open")
                asyncio.get_running_loop().call_later(60, print)
            loop = {factory}()
            loops.append(loop)
            loop.run_until_complete(main())

        def test_tidy():
            async def main():
                task = asyncio.create_task(asyncio.sleep(60))
                timer = asyncio.get_running_loop().call_later(60, print)
                await asyncio.sleep(0)
                timer.cancel()
                task.cancel()
                await asyncio.wait([task])
                await asyncio.wait_for(asyncio.sleep(0), 60)
                async with asyncio.timeout(60):
                    await asyncio.to_thread(int)
            with asyncio.Runner(loop_factory={factory}) as runner:
                runner.run(main())
            loops.pop().close()

        def test_thread():
            loop = {factory}()
            ready = threading.Event()

            async def main():
                asyncio.create_task(forever(), name="in-thread")
                ready.set()

            thread = threading.Thread(target=loop.run_forever)
            thread.start()
            asyncio.run_coroutine_threadsafe(main(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
        """,
        process=True,
    )
    open_loop = "Loop" if "uvloop" in factory else stock_loop()
    assert {name: sorted(words) for name, words in done.told().items()} == {
        "test_asyncio_run": ["TL102 run"],
        "test_closed": ["TL103 closed", "TL202 print"],
        "test_open": ["TL101 open", "TL201 print", f"TL601 {open_loop}"],
        "test_thread": ["TL103 in-thread"],
    }, done.out


def test_task_factory_of_the_user(suite: Suite) -> None:
    eager = "asyncio.eager_task_factory" if sys.version_info >= (3, 12) else "factory"
    done = suite(
        f"""
        calls = []

        class Own(asyncio.Task):
            pass

        def factory(loop, coro, **options):
            calls.append(coro)
            return Own(coro, loop=loop, **options)

        async def test_own_factory():
            loop = asyncio.get_running_loop()
            loop.set_task_factory(factory)
            task = asyncio.create_task(forever(), name="own")
            assert type(task) is Own
            assert loop.get_task_factory() is factory
            assert len(calls) == 1

        async def test_eager():
            loop = asyncio.get_running_loop()
            loop.set_task_factory({eager})
            asyncio.create_task(forever(), name="eager")
            await asyncio.create_task(asyncio.sleep(0))

        async def test_untouched():
            loop = asyncio.get_running_loop()
            assert loop.get_task_factory() is None
            assert loop.get_debug() is False
            task = asyncio.create_task(asyncio.sleep(0), name="plain")
            assert type(task) is asyncio.Task
            assert task.get_name() == "plain"
            await task
            assert not hasattr(asyncio.Task, "__wrapped__")

        async def test_debug():
            loop = asyncio.get_running_loop()
            loop.set_debug(True)
            asyncio.create_task(forever(), name="debug")
            assert loop.get_debug() is True
        """
    )
    assert {name: [x.split()[1] for x in w] for name, w in done.told().items()} == {
        "test_own_factory": ["own"],
        "test_eager": ["eager"],
        "test_debug": ["debug"],
    }


def test_users_patches_compose(suite: Suite) -> None:
    done = suite(
        """
        calls = []

        async def test_patched(monkeypatch):
            original = asyncio.BaseEventLoop.create_task
            assert asyncio.BaseEventLoop.create_task.__name__ == "create_task"

            def create_task(self, coro, **options):
                calls.append("users")
                return original(self, coro, **options)

            monkeypatch.setattr(asyncio.BaseEventLoop, "create_task", create_task)
            asyncio.create_task(forever(), name="patched")
            assert calls == ["users"]

        async def test_replaced(monkeypatch):
            loop = asyncio.get_running_loop()
            monkeypatch.setattr(loop, "call_later", lambda *args: calls.append("later"))
            loop.call_later(60, print)
            assert calls[-1] == "later"

        def test_mocked_thread(monkeypatch):
            started = []
            monkeypatch.setattr(threading.Thread, "start", lambda self: started.append(self))
            threading.Thread(target=print).start()
            assert len(started) == 1

        async def test_after():
            asyncio.create_task(forever(), name="after")
            asyncio.get_running_loop().call_later(60, print)
        """
    )
    assert {name: sorted(x.split()[1] for x in w) for name, w in done.told().items()} == {
        "test_patched": ["patched"],
        "test_after": ["after", "print"],
    }
    assert done.counts == "2 failed, 2 passed"


def test_asyncio_run_still_reports_exceptions_of_leftovers(suite: Suite) -> None:
    done = suite(
        """
        def test_a():
            seen = []

            async def angry():
                try:
                    await asyncio.Event().wait()
                finally:
                    raise ValueError("while ending")

            async def main():
                asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))
                asyncio.create_task(angry(), name="angry")
                await asyncio.sleep(0)

            asyncio.run(main())
            assert [str(context["exception"]) for context in seen] == ["while ending"]
        """
    )
    assert done.told() == {"test_a": ["TL102 angry"]}


def test_task_that_ignores_cancellation(suite: Suite) -> None:
    suite.write(
        suite_bounds="import pytest_taskleak.engine.closing as closing\n\nclosing.CLOSE_BOUND = 0.5\n"
    )
    done = suite(
        """
        async def stubborn():
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    pass

        async def test_a():
            asyncio.create_task(stubborn(), name="stubborn")
            await asyncio.sleep(0)

        def test_run():
            async def main():
                asyncio.create_task(stubborn(), name="stubborn")
                await asyncio.sleep(0)
            asyncio.run(main())

        def test_b():
            assert 0, "own"
        """,
        "-p",
        "suite_bounds",
        process=True,
    )
    assert done.told() == {"test_a": ["TL104 stubborn"], "test_run": ["TL104 stubborn"]}


def test_uvloop_imported_in_the_middle_of_a_test(suite: Suite) -> None:
    pytest.importorskip("uvloop")
    done = suite(
        """
        loops = []

        def test_first_use():
            import uvloop

            async def main():
                asyncio.create_task(forever(), name="left")
                asyncio.get_running_loop().call_later(60, print)

            loop = uvloop.new_event_loop()
            loops.append(loop)
            loop.run_until_complete(main())

        def test_after():
            loops.pop().close()
        """,
        process=True,
    )
    assert {name: sorted(words) for name, words in done.told().items()} == {
        "test_first_use": ["TL101 left", "TL201 print", "TL601 Loop"]
    }


def test_arguments_by_keyword_are_passed_on(suite: Suite) -> None:
    done = suite(
        """
        async def test_a():
            loop = asyncio.get_running_loop()
            loop.call_later(delay=60, callback=print).cancel()
            loop.call_at(when=loop.time() + 60, callback=print).cancel()
            await loop.create_task(coro=asyncio.sleep(0))
            loop.set_default_executor(executor=ThreadPoolExecutor(max_workers=1))
            await loop.run_in_executor(executor=None, func=int)

        def test_b():
            async def main():
                pass
            with asyncio.Runner() as runner:
                runner.run(coro=main())
        """.replace(
            "async def test_a",
            "from concurrent.futures import ThreadPoolExecutor\n\n        async def test_a",
            1,
        )
    )
    assert done.counts == "2 passed"


def test_the_step_of_anyio_takes_any_keyword() -> None:
    from contextvars import ContextVar

    from pytest_taskleak.adapt import anyio

    async def original(*args: object, **options: object) -> tuple[object, object]:
        return args, options

    step = anyio.carry(ContextVar("any", default=None))(original)
    runner = object()
    assert asyncio.run(step(runner, 1, self=2, original=3)) == ((runner, 1), {"self": 2, "original": 3})
