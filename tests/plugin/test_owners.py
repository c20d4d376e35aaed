"""Who is blamed: the test, the fixture, and the right one of several?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite


def test_module_fixture_on_its_last_user(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture(scope="module")
        def server():
            threading.Thread(target=threading.Event().wait, name="server", daemon=True).start()
            yield

        def test_first(server):
            pass

        def test_last_user(server):
            pass

        def test_does_not_use_it():
            pass
        """,
        process=True,
    )
    assert done.told() == {"test_last_user": ["TL301 server"]}
    (found,) = done.findings()
    assert found["owner"] == {
        "kind": "fixture",
        "name": "server",
        "scope": "module",
        "nodeid": "test_it.py::test_last_user",
    }
    assert done.failed() == [("test_last_user", "teardown")]
    assert "fixture 'server'" in done.out


def test_function_fixture_on_its_test(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture
        async def server():
            asyncio.create_task(forever(), name="server")
            yield

        async def test_a(server):
            pass

        async def test_b():
            pass
        """
    )
    (found,) = done.findings("test_a")
    assert (found["owner"]["kind"], found["owner"]["name"]) == ("fixture", "server")
    assert set(done.told()) == {"test_a"}


def test_last_test_of_a_module_is_judged_before_the_module_fixture_hides_it(suite: Suite) -> None:
    done = suite(
        """
        import pytest_asyncio

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def sweeping():
            yield
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        @pytest.mark.asyncio(loop_scope="module")
        async def test_last(sweeping):
            asyncio.create_task(forever(), name="left")
        """
    )
    assert done.told() == {"test_last": ["TL101 left"]}
    assert done.findings()[0]["owner"]["kind"] == "test"


def test_parametrised_module_fixture_set_up_again(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture(scope="module", params=["one", "two"])
        def server(request):
            threading.Thread(target=threading.Event().wait, name=request.param, daemon=True).start()
            yield

        def test_a(server):
            pass

        def test_b(server):
            pass
        """,
        process=True,
    )
    assert done.told() == {"test_b[one]": ["TL301 one"], "test_b[two]": ["TL301 two"]}
    assert all(r.outcome == "passed" for r in done.of("test_a[two]"))


def test_task_of_a_test_on_a_session_loop_is_the_tests(suite: Suite) -> None:
    suite.ini["asyncio_default_test_loop_scope"] = "session"
    suite.ini["asyncio_default_fixture_loop_scope"] = "session"
    done = suite(
        """
        import pytest_asyncio

        @pytest_asyncio.fixture(scope="session")
        async def server():
            stop = asyncio.Event()
            queue = asyncio.Queue()

            async def serve():
                while not stop.is_set():
                    await queue.get()
                    children.append(asyncio.create_task(forever(), name="child-of-server"))

            children = []
            task = asyncio.create_task(serve(), name="server")
            yield queue
            for t in [task, *children]:
                t.cancel()
            await asyncio.gather(task, *children, return_exceptions=True)

        async def test_server_spawns(server):
            await server.put(1)
            await asyncio.sleep(0.01)

        async def test_spawns():
            asyncio.create_task(forever(), name="left")

        async def test_after(server):
            await server.put(1)
            await asyncio.sleep(0)
        """
    )
    assert done.told() == {"test_spawns": ["TL101 left"]}


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_wide_fixture_leak(suite: Suite, scope: str) -> None:
    done = suite(
        f"""
        @pytest.fixture(scope="{scope}")
        def loop():
            loop = asyncio.new_event_loop()
            yield loop

        @pytest.fixture(scope="{scope}")
        def worker(loop):
            loop.run_until_complete(start())
            yield

        async def start():
            asyncio.create_task(forever(), name="worker")

        class TestA:
            def test_one(self, worker):
                pass

            def test_two(self, worker):
                pass
        """,
        "--taskleak-detect=task",
        process=True,
    )
    assert done.told() == {"TestA::test_two": ["TL101 worker"]}
    owner = done.findings()[0]["owner"]
    assert (owner["kind"], owner["name"], owner["scope"]) == ("fixture", "worker", scope)


def test_teardown_code_of_fixtures(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture
        async def tidy():
            yield
            asyncio.create_task(forever(), name="made-in-teardown")

        async def test_a(tidy):
            pass

        @pytest.fixture
        def by_finalizer(request):
            def finish():
                threading.Thread(target=threading.Event().wait, name="made-in-finalizer", daemon=True).start()
            request.addfinalizer(finish)

        def test_b(by_finalizer):
            pass
        """,
        process=True,
    )
    owners = {f["name"]: (f["owner"]["kind"], f["owner"]["name"]) for f in done.findings()}
    assert owners["made-in-teardown"] == ("fixture", "tidy")
    assert owners["made-in-finalizer"] == ("fixture", "by_finalizer")


def test_same_thing_is_told_once(suite: Suite) -> None:
    done = suite(
        """
        import pytest_asyncio

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def outer():
            asyncio.create_task(forever(), name="outer")
            yield

        @pytest.mark.asyncio(loop_scope="module")
        async def test_a(outer):
            asyncio.create_task(forever(), name="left")

        @pytest.mark.asyncio(loop_scope="module")
        async def test_b(outer):
            pass
        """
    )
    assert done.told() == {"test_a": ["TL101 left"], "test_b": ["TL101 outer"]}


def test_fixture_closes_what_the_test_left(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture
        async def spawn():
            made = []

            def spawn(coro):
                made.append(asyncio.create_task(coro))

            yield spawn
            for task in made:
                task.cancel()
            await asyncio.gather(*made, return_exceptions=True)

        async def test_a(spawn):
            spawn(forever())
        """
    )
    assert done.told() == {}


def test_thread_of_a_thread(suite: Suite) -> None:
    done = suite(
        """
        def inner():
            threading.Thread(target=threading.Event().wait, name="inner", daemon=True).start()

        def test_a():
            outer = threading.Thread(target=inner)
            outer.start()
            outer.join()

        def test_b():
            pass
        """,
        process=True,
    )
    assert done.told() == {"test_a": ["TL301 inner"]}


def test_task_made_from_another_thread(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture(scope="module")
        def loop():
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, daemon=True)
            thread.start()
            yield loop
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

        def test_a(loop):
            started = threading.Event()

            async def main():
                started.set()
                await forever()

            asyncio.run_coroutine_threadsafe(main(), loop)
            started.wait()

        def test_b(loop):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
        """,
        process=True,
    )
    assert done.told() == {"test_a": [f"TL101 {done.findings()[0]['name']}"]}
    assert done.findings()[0]["what"].endswith("main")


def test_nested_session(suite: Suite) -> None:
    done = suite(
        """
        pytest_plugins = "pytester"

        def test_outer(pytester):
            pytester.makepyfile(test_inner='''
                import asyncio, threading

                async def forever():
                    await asyncio.Event().wait()

                def test_leaks():
                    async def main():
                        asyncio.create_task(forever(), name="inner")
                    asyncio.run(main())
            ''')
            result = pytester.runpytest_inprocess("-p", "taskleak", "--taskleak")
            result.assert_outcomes(failed=1)

        async def test_still_awake():
            asyncio.create_task(forever(), name="left")
        """,
        "-p",
        "pytester",
        process=True,
    )
    assert done.told() == {"test_still_awake": ["TL101 left"]}, done.out
    assert done.counts == "1 failed, 1 passed"


def test_own_plugin_session_that_is_off_inside(suite: Suite) -> None:
    done = suite(
        """
        def test_outer(pytester):
            pytester.makepyfile(test_inner='''
                import asyncio

                async def forever():
                    await asyncio.Event().wait()

                def test_leaks():
                    async def main():
                        asyncio.create_task(forever(), name="inner")
                    asyncio.run(main())
            ''')
            pytester.runpytest_inprocess("-p", "taskleak").assert_outcomes(passed=1)
        """,
        "-p",
        "pytester",
        process=True,
    )
    assert done.told() == {"test_outer": ["TL102 inner"]}


def test_looking_at_one_leak_does_not_destroy_another(suite: Suite) -> None:
    """A collection may end an executor; the pending task of a fixture that goes with it is a leak all the same."""
    done = suite(
        """
        import gc
        from concurrent.futures import ThreadPoolExecutor

        import pytest_asyncio

        async def hidden():
            await asyncio.Event().wait()

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def outer():
            asyncio.create_task(hidden(), name="outer")
            await asyncio.sleep(0)
            gc.disable()
            yield
            gc.enable()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_dropped_pool(outer):
            pool = ThreadPoolExecutor(1)
            pool.circle = pool
            pool.submit(int).result()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_last(outer):
            pass
        """,
        process=True,
    )
    assert done.told()["test_last"] == ["TL101 outer"]


LIBRARY = """
import asyncio

started = {}

async def poll():
    while True:
        await asyncio.sleep(60)

def once_a_loop():
    loop = asyncio.get_running_loop()
    task = started.get(id(loop))
    if task is None or task.done():
        started[id(loop)] = loop.create_task(poll(), name="once")

def each_time():
    asyncio.get_running_loop().create_task(poll(), name="each")
"""


def test_a_library_that_starts_one_task_a_loop_is_told_once(suite: Suite) -> None:
    """Removing it would make the next test, which is healthy, start another one."""
    folder = suite.pytester.path / "site-packages"
    folder.mkdir()
    (folder / "suite_library.py").write_text(LIBRARY, encoding="utf-8")
    done = suite(
        """
        import sys
        sys.path.insert(0, "site-packages")
        import suite_library
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_first():
            suite_library.once_a_loop()

        async def test_second():
            suite_library.once_a_loop()

        async def test_third():
            suite_library.each_time()

        async def test_fourth():
            suite_library.each_time()
        """,
        process=True,
    )
    assert done.told() == {
        "test_first": ["TL101 once"],
        "test_third": ["TL101 each"],
        "test_fourth": ["TL101 each"],
    }
