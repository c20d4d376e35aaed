"""Is it told what keeps a process from ending whose session is over?"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

HURRY = "import pytest_taskleak.exiting as e\ne.LATE = 0.3\n"
BLOCKED = "taskleak: the process cannot end before this does: "
LATE = "taskleak: the session is over, and the process does not end"
THREAD = """
    import time

    def wait():
        time.sleep(1.5)

    def start():
        threading.Thread(target=wait, name="worker").start()
"""


def test_thread_is_named_once(suite: Suite) -> None:
    """What the watch has told as a leak is one line at the end, and the late look says where it stands."""
    suite.write(THREAD + "\n    def test_starts(): start()\n", suite_hurry=HURRY)
    done = suite.run("-p", "suite_hurry", "--taskleak-grace=0", process=True)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    told = [line for line in done.out.splitlines() if BLOCKED in line]
    assert len(told) == 1
    assert "thread 'worker', left by test test_it.py::test_starts, born test_it.py:" in told[0]
    assert "waits in time.sleep(1.5) at test_it.py:" in told[0]
    assert LATE in done.err
    late = done.err.partition("it waits for\n")[2]
    assert late.startswith("  thread 'worker', born test_it.py:")
    assert "thread 'MainThread' waits in threading._shutdown()" in late


@pytest.mark.parametrize(("verdict", "status"), [("pass", 0), ("assert False", 1)])
def test_bounded_exit_keeps_the_status(suite: Suite, verdict: str, status: int) -> None:
    done = suite(
        f"""
        def test_starts():
            threading.Thread(target=threading.Event().wait, name="for-ever").start()
            {verdict}
        """,
        "--taskleak-exit=0.3",
        taskleak=False,
        process=True,
    )
    assert done.ret == status
    assert done.out.count(BLOCKED + "thread 'for-ever', waits in threading.Event.wait()") == 1
    assert f"the process did not end in 0.3 s, and is ended with exit status {status}" in done.err
    assert "thread 'for-ever' waits in threading.Event.wait()" in done.err


def test_executors_and_processes(suite: Suite) -> None:
    done = suite(
        """
        import concurrent.futures
        import multiprocessing
        import time

        kept = []

        def test_threads():
            pool = concurrent.futures.ThreadPoolExecutor(2)
            pool.submit(int).result()
            kept.append(pool)
            kept.append(concurrent.futures.ThreadPoolExecutor(1))
            kept[-1].submit(time.sleep, 60)

        def test_pool():
            spawn = multiprocessing.get_context("spawn")
            kept.append(concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn))
            kept[-1].submit(time.sleep, 60)

        def test_process():
            spawn = multiprocessing.get_context("spawn")
            kept.append(spawn.Process(target=time.sleep, args=(60,), name="child"))
            kept[-1].start()
            kept.append(spawn.Process(target=time.sleep, args=(60,), name="daemon", daemon=True))
            kept[-1].start()
        """,
        "--taskleak-exit=0.5",
        taskleak=False,
        process=True,
    )
    assert done.ret == pytest.ExitCode.OK
    told = sorted(line.removeprefix(BLOCKED) for line in done.out.splitlines() if line.startswith(BLOCKED))
    assert len(told) == 3, told
    assert told[0].startswith("executor call sleep() in thread 'ThreadPoolExecutor-1_0'")
    assert "of processes, which has 1 call to do" in told[1]
    assert told[2].startswith("process 'child' (pid ")


@pytest.mark.parametrize("args", [(), ("-n1",)], ids=["plain", "worker"])
def test_nothing_is_told_of_a_tidy_session(suite: Suite, args: tuple[str, ...]) -> None:
    suite.plugins.append("xdist")
    done = suite(
        """
        import concurrent.futures

        kept = []

        async def test_default_executor():
            await asyncio.to_thread(int)

        def test_idle_pool():
            kept.append(concurrent.futures.ThreadPoolExecutor(1))
            kept[-1].submit(int).result()
        """,
        "--taskleak-exit=20",
        *args,
        taskleak=False,
        process=True,
    )
    assert done.ret == pytest.ExitCode.OK
    assert "taskleak" not in done.out.partition("collected")[2].replace("plugins:", "")
    assert done.err == ""


def test_program_that_goes_on_after_its_session(suite: Suite) -> None:
    """A program that runs pytest is not ended by force before it ends itself."""
    suite.write(
        """
        def test_starts():
            threading.Thread(target=threading.Event().wait, name="for-ever").start()
        """,
        program="""
        import sys
        import time

        import pytest

        status = pytest.main(["-p", "taskleak", "-q", "--taskleak-exit=0.2"])
        time.sleep(0.5)
        print("it goes on")
        sys.exit(status)
        """,
    )
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=suite.pytester.path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "it goes on" in done.stdout
    assert "the process did not end in 0.2 s, and is ended with exit status 0" in done.stderr
