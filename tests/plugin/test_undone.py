"""Is anything of the plugin left behind, or anything of the suite kept alive by it?"""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

PROBE = """
import _thread, asyncio, asyncio.runners, atexit, concurrent.futures, threading
import concurrent.futures.thread, concurrent.futures.process

PLACES = [
    (asyncio.BaseEventLoop, "create_task"), (asyncio.BaseEventLoop, "call_at"), (asyncio.BaseEventLoop, "close"),
    (asyncio.BaseEventLoop, "call_later"), (asyncio.BaseEventLoop, "set_default_executor"),
    (asyncio.runners, "_cancel_all_tasks"), (asyncio.Runner, "run"), (threading.Thread, "start"),
    (_thread, "start_new_thread"), (concurrent.futures.ThreadPoolExecutor, "__init__"),
    (concurrent.futures.process.ProcessPoolExecutor, "__init__"), (concurrent.futures.thread._WorkItem, "__init__"),
    (concurrent.futures.thread._WorkItem, "run"),
]
try:
    import uvloop
    PLACES += [(uvloop.Loop, n) for n in ("create_task", "call_at", "call_later", "close", "run_in_executor",
                                          "set_default_executor")]
except ImportError:
    pass
try:
    from anyio._backends._asyncio import TestRunner
    PLACES += [(TestRunner, "_call_in_runner_task")]
except ImportError:
    pass
BEFORE = [vars(owner).get(name) for owner, name in PLACES]


def changed():
    return [f"{o.__name__}.{n}" for (o, n), b in zip(PLACES, BEFORE) if vars(o).get(n) is not b]


def tell():
    import sys
    owner = sys.modules.get("pytest_taskleak.engine.owner")
    print("changed at exit:", changed(), "phases:", owner.watches if owner else [], "owner:", owner and owner.OWNER.get())


atexit.register(tell)
"""
CLEAN = "changed at exit: [] phases: [] owner: None"
TESTS = """
    import suite_probe

    def test_patched():
        assert suite_probe.changed()

    async def test_leaks():
        asyncio.create_task(forever(), name="left")
"""


def test_after_a_session(suite: Suite) -> None:
    suite.write(TESTS, suite_probe=PROBE)
    done = suite.run("-p", "suite_probe", process=True)
    assert done.counts == "1 failed, 1 passed"
    assert CLEAN in done.out


@pytest.mark.parametrize(
    ("tests", "args", "code"),
    [
        ("def test_a():\n    raise KeyboardInterrupt", [], pytest.ExitCode.INTERRUPTED),
        ("def test_a():\n    pytest.exit('enough')", [], pytest.ExitCode.INTERRUPTED),
        ("raise RuntimeError", [], pytest.ExitCode.INTERRUPTED),
        ("@pytest.mark.taskleak(alow=1)\ndef test_a(): pass", [], pytest.ExitCode.USAGE_ERROR),
        ("def test_a(): pass", ["--taskleak-grace=soon"], pytest.ExitCode.USAGE_ERROR),
        ("def test_a(): pass", ["nowhere.py"], pytest.ExitCode.USAGE_ERROR),
        ("def test_a(): pass", ["-p", "suite_crash"], pytest.ExitCode.INTERNAL_ERROR),
        ("def test_a(): pass", ["--collect-only"], pytest.ExitCode.OK),
        ("", [], pytest.ExitCode.NO_TESTS_COLLECTED),
    ],
    ids=["ctrl-c", "exit", "collection", "marker", "option", "path", "internal", "collect-only", "no-tests"],
)
def test_after_an_aborted_session(suite: Suite, tests: str, args: list[str], code: int) -> None:
    crash = "def pytest_runtestloop():\n    raise RuntimeError('crash')\n"
    suite.write(suite_probe=PROBE, suite_crash=crash)
    suite.pytester.makepyfile(test_it="import pytest\n\n" + tests)
    done = suite.run("-p", "suite_probe", *args, process=True)
    assert done.ret == code, done.out
    assert CLEAN in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_after_a_signal(suite: Suite) -> None:
    suite.write(
        """
        import signal

        signal.signal(signal.SIGINT, signal.default_int_handler)  # where a job in the background ignores it

        async def test_a():
            print("READY", flush=True)
            await forever()
        """,
        suite_probe=PROBE,
    )
    suite.run("--collect-only")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-s",
        "--taskleak",
        "-p",
        "asyncio",
        "-p",
        "taskleak",
        "-p",
        "suite_probe",
    ]
    environ = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(suite.pytester.path)}
    with subprocess.Popen(
        command, cwd=suite.pytester.path, env=environ, text=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "READY" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert CLEAN in rest


def test_no_patch_wrapped_by_the_user_is_lost(suite: Suite) -> None:
    suite.write(
        """
        def test_a():
            original = threading.Thread.start

            def start(self):
                return original(self)

            threading.Thread.start = start  # never undone: the user's own doing
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()
        """,
        suite_end="""
        import atexit, threading

        def tell():
            thread = threading.Thread(target=print, args=("still starts",))
            try:
                thread.start()
                thread.join()
            except RuntimeError as error:  # 3.12 starts no thread at exit: the original says so itself
                print("still starts" if "interpreter shutdown" in str(error) else error)

        atexit.register(tell)
        """,
    )
    done = suite.run("-p", "suite_end", process=True)
    assert done.counts == "1 passed"
    assert "still starts" in done.out


def test_nothing_of_the_suite_is_kept_alive(suite: Suite) -> None:
    done = suite(
        """
        import gc
        import weakref
        from concurrent.futures import ThreadPoolExecutor

        refs = {}

        class Thing:
            pass

        def watch(name, thing):
            refs[name] = weakref.ref(thing)
            return thing

        async def hold(thing):
            await asyncio.sleep(3600)

        @pytest.fixture
        def value():
            return watch("fixture value", Thing())

        @pytest.fixture
        async def yielded():
            yield watch("yielded value", Thing())

        @pytest.fixture(scope="module")
        def wide():
            return watch("wide value", Thing())

        async def test_leaks(value, yielded):
            task = asyncio.create_task(hold(watch("coroutine argument", Thing())), name="left")
            watch("task", task)
            watch("loop", asyncio.get_running_loop())
            asyncio.get_running_loop().call_later(60, print, watch("timer argument", Thing()))
            await asyncio.sleep(0)

        def test_run():
            async def main():
                watch("cut task", asyncio.create_task(hold(watch("cut argument", Thing()))))
                watch("run loop", asyncio.get_running_loop())
                await asyncio.sleep(0)
            asyncio.run(main())

        def test_thread():
            stop = threading.Event()
            thread = threading.Thread(target=lambda thing: stop.wait(0.2), args=(watch("thread argument", Thing()),))
            watch("thread", thread)
            thread.start()

        def test_pool(wide):
            pool = ThreadPoolExecutor(1)
            watch("pool", pool)
            pool.submit(id, watch("work argument", Thing())).result()

        async def test_clean(value):
            thing = watch("clean argument", Thing())
            task = asyncio.create_task(asyncio.sleep(0, thing))
            watch("clean task", task)
            await task

        async def test_fails():
            watch("failed task", asyncio.create_task(hold(Thing())))
            raise ValueError

        def test_look():
            for thread in threading.enumerate():
                if thread is not threading.current_thread():
                    thread.join(5)
            del thread
            import sys
            for name in ("last_exc", "last_value", "last_traceback"):
                if hasattr(sys, name):
                    delattr(sys, name)
            gc.collect()
            assert {name for name, ref in refs.items() if ref() is not None} <= {"failed task", "wide value"}
        """,
        "-p",
        "no:cacheprovider",
        process=True,
    )
    assert done.one("test_look", "call").outcome == "passed", done.out
    assert len(done.findings()) >= 5


def test_warnings_of_asyncio_are_not_added(suite: Suite) -> None:
    done = suite(
        """
        def test_closed():
            async def main():
                asyncio.create_task(forever(), name="closed")
            loop = asyncio.new_event_loop()
            loop.run_until_complete(main())
            loop.close()

        def test_look():
            import gc
            gc.collect()
        """,
        process=True,
    )
    assert done.told() == {"test_closed": ["TL103 closed"]}
    assert "was destroyed but it is pending" not in done.out + done.err
