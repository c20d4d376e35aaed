"""What does a run with `--taskleak-audit` see, tell and fail for?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Done, Suite

pytestmark = pytest.mark.no_taskleak(reason="sessions without the watch inside of one that has it")

SERVICE = """
import asyncio
import threading

TASKS = set()


async def work(fails=False):
    await asyncio.sleep(0)
    if fails:
        raise ValueError("of work")


async def forever():
    await asyncio.Event().wait()


def bare():
    asyncio.create_task(work(), name="bare")


def never():
    asyncio.create_task(work())


def meant():
    asyncio.create_task(work())  # taskleak: fire-and-forget because it is only a beacon


def spawn(coro):
    return asyncio.create_task(coro)


def caller():
    spawn(work())


async def awaited():
    await asyncio.create_task(work())


async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(work())


def kept(coro):
    task = asyncio.create_task(coro)
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)
    return task


class Refresher:
    task = None

    def refresh(self):
        self.task = asyncio.create_task(forever(), name="refresh")


def timer():
    asyncio.get_running_loop().call_later(0, print)


def thread():
    threading.Thread(target=print, args=("",)).start()


def joined():
    worker = threading.Thread(target=print, args=("",))
    worker.start()
    worker.join()
"""
TESTS = """
    import service

    async def test_bare():
        service.bare()
        await asyncio.sleep(0.01)

    async def test_bare_again():
        service.bare()
        service.bare()
        await asyncio.sleep(0.01)

    async def test_caller():
        service.caller()
        await asyncio.sleep(0.01)

    async def test_good():
        await service.awaited()
        await service.grouped()
        await service.kept(service.work())

    async def test_kept_and_left():
        service.kept(forever())

    async def test_fails():
        with pytest.raises(ValueError):
            await service.kept(service.work(True))

    async def test_others():
        service.timer()
        service.thread()
        service.joined()
        await asyncio.sleep(0.01)
        asyncio.create_task(service.work())
        await asyncio.sleep(0.01)
"""


def written(suite: Suite) -> None:
    suite.write(TESTS, service=SERVICE)


def report(suite: Suite) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((suite.pytester.path / "audit.json").read_text())
    return document


def rows(suite: Suite) -> dict[str, dict[str, Any]]:
    return {f"{row['function']} {row['call']}": row for row in report(suite)["sites"]}


@pytest.fixture
def audited(suite: Suite) -> Callable[..., dict[str, dict[str, Any]]]:
    def run(*args: str, taskleak: bool = False, **options: Any) -> dict[str, dict[str, Any]]:
        written(suite)
        done = suite.run("--taskleak-audit-report=audit.json", *args, taskleak=taskleak, **options)
        assert "INTERNALERROR" not in done.out + done.err
        assert "the audit itself has failed" not in done.out, done.out
        return rows(suite)

    return run


@pytest.mark.parametrize("process", [False, True])
def test_every_site_is_in_the_table(audited: Callable[..., dict[str, dict[str, Any]]], process: bool) -> None:
    table = audited(process=process)
    told = {name: (row["state"], row["made"], row["tests_count"]) for name, row in table.items()}
    assert told == {
        "bare asyncio.create_task": ("unstructured", 3, 2),
        "never asyncio.create_task": ("unstructured", 0, 0),
        "meant asyncio.create_task": ("excused", 0, 0),
        "spawn asyncio.create_task": ("ok", 1, 1),
        "caller spawn()": ("unstructured", 1, 1),
        "awaited asyncio.create_task": ("ok", 1, 1),
        "grouped TaskGroup.create_task": ("ok", 1, 1),
        "kept asyncio.create_task": ("ok", 3, 3),
        "Refresher.refresh asyncio.create_task": ("ok", 0, 0),
        "timer loop.call_later": ("ok", 1, 1),
        "thread threading.Thread": ("loose", 1, 1),
        "joined threading.Thread": ("ok", 1, 1),
        "test_good service.kept()": ("ok", 1, 1),
        "test_kept_and_left service.kept()": ("ok", 1, 1),
        "test_fails service.kept()": ("ok", 1, 1),
        "test_others asyncio.create_task": ("unstructured", 1, 1),
    }
    assert table["kept asyncio.create_task"]["ended"] == {"completed": 1, "error": 1, "left": 1}
    assert table["bare asyncio.create_task"]["ended"] == {"completed": 3}
    assert table["bare asyncio.create_task"]["named"] == "yes"
    assert table["bare asyncio.create_task"]["same_name_at_once"] == 2
    assert table["bare asyncio.create_task"]["tests"] == [
        "test_it.py::test_bare",
        "test_it.py::test_bare_again",
    ]
    assert table["caller spawn()"]["via"] == "spawn"
    assert table["spawn asyncio.create_task"]["helper"] == "returns"
    assert table["timer loop.call_later"]["ended"] == {"completed": 1}
    assert table["joined threading.Thread"]["ended"] == {"completed": 1}
    assert table["test_others asyncio.create_task"]["test_code"] is True


def test_the_watch_changes_nothing(audited: Callable[..., dict[str, dict[str, Any]]]) -> None:
    assert audited(taskleak=True) == audited(taskleak=False)


@pytest.mark.parametrize("args", [("-n2",), ("-n1", "--dist=loadfile")])
def test_workers_make_one_table(
    suite: Suite, audited: Callable[..., dict[str, dict[str, Any]]], args: tuple[str, ...]
) -> None:
    plain = audited(process=True)
    suite.plugins.append("xdist")
    assert audited(*args, process=True) == plain
    assert audited(*args, process=True, taskleak=True) == plain


def test_off_is_off(suite: Suite) -> None:
    written(suite)
    suite.write(
        """
        import sys, threading

        def test_patches():
            assert not [name for name in sys.modules if name.startswith("pytest_taskleak.audit")]
            assert asyncio.BaseEventLoop.create_task.__module__ == "asyncio.base_events"
            assert threading.Thread.start.__module__ == "threading"
        """
    )
    done = suite.run(taskleak=False, process=True)
    assert done.ret == pytest.ExitCode.OK
    assert "audit" not in done.out


@pytest.mark.parametrize("taskleak", [False, True])
def test_all_is_put_back(suite: Suite, taskleak: bool) -> None:
    import asyncio
    import threading

    places = (
        (asyncio.BaseEventLoop, "create_task"),
        (asyncio.BaseEventLoop, "call_at"),
        (asyncio.TimerHandle, "cancel"),
        (threading.Thread, "__init__"),
        (threading.Thread, "join"),
        (threading, "excepthook"),
    )
    before = [vars(place)[name] for place, name in places]
    suite("def test_a(): pass", "--taskleak-audit", "-pno:threadexception", taskleak=taskleak)
    assert [vars(place)[name] for place, name in places] == before


# --- what is told ---------------------------------------------------------------------------------


def test_the_terminal_tells_the_worst_first(suite: Suite) -> None:
    written(suite)
    done = suite.run("--taskleak-audit", taskleak=False)
    assert done.ret == pytest.ExitCode.OK
    section = done.out.partition("= taskleak audit =")[2]
    assert "12 sites in 1 file: 3 unstructured, 1 loose, 1 excused; 9 seen in this run" in section
    first = section.index("service.py:18  bare  asyncio.create_task, named  UNSTRUCTURED")
    assert first < section.index("service.py:65  thread  threading.Thread, no name  LOOSE")
    assert "  fix     await it, make it in an asyncio.TaskGroup, or keep it: tasks.add(task)" in section
    assert (
        "  seen    3 times, 2 at once, completed; by test_it.py::test_bare, test_it.py::test_bare_again"
        in section
    )
    assert "  seen    never: no test makes it" in section
    assert "4 more sites in test code, 1 unstructured: --taskleak-audit-report=audit.md" in section


def test_a_long_table_is_cut(suite: Suite) -> None:
    many = "import asyncio\n\n\ndef f():\n" + "    asyncio.create_task(work())\n" * 40
    suite.write("def test_a(): pass", service=many)
    done = suite.run("--taskleak-audit", taskleak=False)
    assert done.out.count("UNSTRUCTURED") == 30
    assert "... 10 more: --taskleak-audit-report=audit.md" in done.out


def test_markdown(suite: Suite) -> None:
    written(suite)
    done = suite.run("--taskleak-audit-report=deep/audit.md", taskleak=False)
    text = (suite.pytester.path / "deep" / "audit.md").read_text()
    assert "| site | function | makes | state |" in text
    assert (
        "| service.py:18 | `bare` | `asyncio.create_task` | unstructured | 3 times, 2 at once | yes | no: dropped at once |"
        in text
    )
    assert text.index("## Code") < text.index("## Tests") < text.index("\n| test_it.py:")
    assert "taskleak: wrote " in done.out


def test_a_broken_file_is_a_line(suite: Suite) -> None:
    suite.write("def test_a(): pass", broken="import asyncio\nasyncio.create_task(\n")
    done = suite.run("--taskleak-audit", "test_it.py", taskleak=False)
    assert done.ret == pytest.ExitCode.OK
    assert "note: broken.py:2: not read: " in done.out


def test_a_report_that_cannot_be_written_is_told(suite: Suite) -> None:
    (suite.pytester.path / "there").write_text("")
    done = suite("def test_a(): pass", "--taskleak-audit-report=there/audit.md", taskleak=False)
    assert done.ret == pytest.ExitCode.OK
    assert "taskleak: warning: " in done.out
    assert "could not be written" in done.out


@pytest.mark.parametrize(
    ("args", "ini", "words"),
    [
        (
            ("--taskleak-audit-report=audit.txt",),
            {},
            "'audit_report' must end in one of .json, .md - got 'audit.txt'",
        ),
        (
            ("--taskleak-audit-gate=strict",),
            {},
            "'audit' must be one of none, no-bare-create-task - got 'strict'",
        ),
        ((), {"taskleak_audit": "no-bare-create-tasks"}, "did you mean 'no-bare-create-task'"),
        ((), {"taskleak_audit_report": "."}, "must end in one of"),
    ],
)
def test_a_bad_value_is_a_usage_error(
    usage_error: Callable[..., str], args: tuple[str, ...], ini: dict[str, str], words: str
) -> None:
    assert words in usage_error(*args, **ini)


# --- the gate -------------------------------------------------------------------------------------


def gated(suite: Suite, service: str, *args: str, **options: Any) -> Done:
    suite.ini["taskleak_audit"] = "no-bare-create-task"
    suite.write("def test_a(): pass", service=service)
    return suite.run(*args, taskleak=False, **options)


BARE = "import asyncio\n\n\ndef f(tg=None):\n    asyncio.create_task(work()){}\n"


def test_the_gate_fails_the_session(suite: Suite) -> None:
    done = gated(suite, BARE.format(""))
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert "1 passed" in done.out
    assert "service.py:5  f  asyncio.create_task, no name  UNSTRUCTURED" in done.out
    assert "  fix     a group is at hand: tg.create_task(...)" in done.out
    assert "taskleak: no-bare-create-task: 1 site makes tasks that nobody awaits, groups or keeps" in done.out
    assert "# taskleak: fire-and-forget because ..." in done.out


@pytest.mark.parametrize(
    "service",
    [
        BARE.format("  # taskleak: fire-and-forget because it is a beacon"),
        BARE.format("  # noqa: RUF006"),
        BARE.format("").replace("    asyncio", "    f.task = asyncio"),
        "import threading\n\n\ndef f(loop):\n    threading.Thread().start()\n    loop.call_later(1, f)\n",
        "def f(bot):\n    bot.create_task(work())\n",
    ],
)
def test_the_gate_lets_pass(suite: Suite, service: str) -> None:
    done = gated(suite, service)
    assert done.ret == pytest.ExitCode.OK, done.out
    assert "taskleak audit" not in done.out


def test_the_gate_says_nothing_of_tests(suite: Suite) -> None:
    suite.ini["taskleak_audit"] = "no-bare-create-task"
    done = suite("async def test_a():\n    asyncio.create_task(asyncio.sleep(0))", taskleak=False)
    assert done.ret == pytest.ExitCode.OK, done.out


def test_the_gate_keeps_a_worse_status(suite: Suite) -> None:
    assert gated(suite, BARE.format(""), "-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_environment_switches_the_gate_off(suite: Suite) -> None:
    done = gated(suite, BARE.format(""), env={"TASKLEAK": "off"})
    assert done.ret == pytest.ExitCode.OK
    assert "audit" not in done.out


def test_the_gate_under_xdist(suite: Suite) -> None:
    suite.plugins.append("xdist")
    done = gated(suite, BARE.format(""), "-n1", process=True)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert done.out.count("UNSTRUCTURED") == 1


# --- what only a run can show ---------------------------------------------------------------------


def test_an_attribute_that_gets_another_task(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_twice():
            refresher = service.Refresher()
            refresher.refresh()
            refresher.refresh()
        """,
        service=SERVICE,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    row = rows(suite)["Refresher.refresh asyncio.create_task"]
    assert row["overwritten_while_running"] == 1
    assert row["state"] == "unstructured"
    assert row["why"] == "self.task got another one once while its task ran"
    assert row["same_name_at_once"] == 2


@pytest.mark.parametrize(("pause", "ended"), [(0.01, {"cancelled": 1, "left": 1}), (None, {"left": 2})])
def test_an_attribute_whose_task_is_cancelled_first(
    suite: Suite, pause: float | None, ended: dict[str, int]
) -> None:
    cancels = "        if self.task:\n            self.task.cancel()\n        self.task = asyncio.create_task(forever(), "
    waits = f"await asyncio.sleep({pause})" if pause else ""
    suite.write(
        f"""
        import service

        async def test_twice():
            refresher = service.Refresher()
            refresher.refresh()
            refresher.refresh()
            {waits}
        """,
        service=SERVICE.replace("        self.task = asyncio.create_task(forever(), ", cancels),
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    row = rows(suite)["Refresher.refresh asyncio.create_task"]
    assert row["overwritten_while_running"] == 0
    assert row["state"] == "ok"
    assert row["ended"] == ended


def test_by_any_other_name(suite: Suite) -> None:
    """Neither ruff nor a reading of the source sees through this; the run does."""
    suite.write(
        """
        import service

        async def test_a():
            service.start(getattr(asyncio, "create" + "_task"))
            service.of_bot(asyncio.get_running_loop())
            await asyncio.sleep(0.01)
        """,
        service="""
            import asyncio

            def start(make):
                make(asyncio.sleep(0))

            def of_bot(bot):
                bot.create_task(asyncio.sleep(0))
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    told = [(row["function"], row["call"], row["state"], row["fate"]) for row in report(suite)["sites"]]
    assert told == [
        ("start", "asyncio.create_task", "unstructured", "dropped"),
        ("of_bot", "loop.create_task", "unstructured", "dropped"),
    ]


def test_a_method_of_the_project_that_is_called_create_task(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_a():
            service.Service().start()
            await asyncio.sleep(0.01)
        """,
        service="""
            import asyncio

            class TaskSet:
                def __init__(self):
                    self.all = set()

                def create_task(self, coro):
                    task = asyncio.create_task(coro)
                    self.all.add(task)
                    return task

            class Service:
                def __init__(self):
                    self.tasks = TaskSet()

                def start(self):
                    self.tasks.create_task(asyncio.sleep(0))
                    if not self.tasks:
                        self.tasks.create_task(asyncio.sleep(1))
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    told = [(row["line"], row["state"], row["via"], row["made"]) for row in report(suite)["sites"]]
    assert told == [
        (8, "ok", "", 1),
        (17, "ok", "TaskSet.create_task", 1),
        (19, "unsure", "", 0),
    ]


def test_a_dropped_future_of_another_thread_is_no_bare_task(suite: Suite) -> None:
    service = """
        import asyncio

        def submit(coro, loop):
            return asyncio.run_coroutine_threadsafe(coro, loop)

        def f(loop):
            submit(work(), loop)
    """
    assert gated(suite, service).ret == pytest.ExitCode.OK


def test_what_asyncio_makes_itself_is_no_site(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_a():
            await service.f()

        def test_b():
            asyncio.run(service.f())
        """,
        service="""
            import asyncio

            async def f():
                await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
                await asyncio.wait_for(asyncio.sleep(0), 1)
                await asyncio.shield(asyncio.sleep(0))
                await asyncio.to_thread(print)
                await asyncio.get_running_loop().run_in_executor(None, print)
                async with asyncio.timeout(1):
                    await asyncio.sleep(0)
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    assert report(suite)["sites"] == []


def test_a_task_that_the_collector_takes_is_left(suite: Suite) -> None:
    suite.write(
        """
        import gc
        import service

        async def test_a():
            for _ in range(2):
                service.lose()
                await asyncio.sleep(0.01)
                gc.collect()
        """,
        service="""
            import asyncio

            async def waits():
                await asyncio.get_running_loop().create_future()

            def lose():
                asyncio.create_task(waits())
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    (row,) = report(suite)["sites"]
    assert (row["made"], row["at_once"], row["ended"]) == (2, 1, {"left": 2})


def test_other_threads_and_subclasses(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_a():
            loop = asyncio.get_running_loop()
            worker = service.Worker(loop)
            worker.start()
            await asyncio.to_thread(worker.join)
            await asyncio.sleep(0.01)

        @pytest.mark.filterwarnings("ignore")
        def test_b():
            broken = service.broken()
            broken.join()
        """,
        service="""
            import asyncio, threading

            class Worker(threading.Thread):
                def __init__(self, loop):
                    super().__init__(name="worker")
                    self.loop = loop

                def run(self):
                    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop).result()

            def broken():
                thread = threading.Thread(target=int, args=("x",))
                thread.start()
                return thread
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    table = rows(suite)
    assert table["Worker.run asyncio.run_coroutine_threadsafe"]["made"] == 1
    assert table["Worker.run asyncio.run_coroutine_threadsafe"]["ended"] == {"completed": 1}
    made = table["test_a service.Worker"]
    assert (made["made"], made["named"], made["ended"], made["awaited"]) == (
        1,
        "yes",
        {"completed": 1},
        "joined",
    )
    assert table["broken threading.Thread"]["ended"] == {"error": 1}


def test_a_decorated_function_is_told_at_its_caller(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_a():
            service.caller()
            await asyncio.sleep(0.01)
        """,
        service="""
            import asyncio, functools

            TASKS = set()

            def background(function):
                @functools.wraps(function)
                def wrapper(*args):
                    task = asyncio.create_task(function(*args))
                    TASKS.add(task)
                    return task
                return wrapper

            @background
            async def refresh():
                pass

            def caller():
                refresh()
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    table = rows(suite)
    assert table["caller refresh()"]["made"] == 1
    assert table["caller refresh()"]["via"] == "@background refresh"
    assert table["caller refresh()"]["state"] == "ok"


def test_the_own_group_is_a_group(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_a():
            await service.f()
        """,
        service="""
            import asyncio
            from pytest_taskleak.groups.group import TrackedTaskGroup

            async def f():
                async with TrackedTaskGroup() as group:
                    group.create_task(asyncio.sleep(0))
                    group.spawn(asyncio.sleep(0))
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    told = {row["call"]: (row["made"], row["state"], row["fate"]) for row in report(suite)["sites"]}
    assert told == {"TaskGroup.create_task": (1, "ok", "group"), "TaskGroup.spawn": (1, "ok", "group")}


def test_code_that_knows_no_columns(suite: Suite, audited: Callable[..., dict[str, dict[str, Any]]]) -> None:
    plain = audited(process=True)
    bare = audited(process=True, env={"PYTHONNODEBUGRANGES": "1", "PYTHONDONTWRITEBYTECODE": "1"})
    assert {name: row["made"] for name, row in bare.items()} == {
        name: row["made"] for name, row in plain.items()
    }


def test_groups_of_anyio(suite: Suite) -> None:
    pytest.importorskip("anyio")
    suite.write(
        """
        import service

        async def test_a():
            await service.f()
        """,
        service="""
            import anyio

            async def work():
                pass

            async def ready(*, task_status):
                task_status.started()

            async def f():
                async with anyio.create_task_group() as group:
                    group.start_soon(work)
                    await group.start(ready)
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    told = {row["call"]: (row["made"], row["state"], row["fate"]) for row in report(suite)["sites"]}
    assert told == {"TaskGroup.start_soon": (1, "ok", "group"), "TaskGroup.start": (1, "ok", "group")}


@pytest.mark.parametrize("taskleak", [False, True])
def test_uvloop(suite: Suite, taskleak: bool) -> None:
    pytest.importorskip("uvloop")
    suite.write(
        """
        import uvloop
        import service

        def test_a():
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(service.f())
        """,
        service="""
            import asyncio

            async def f():
                asyncio.create_task(asyncio.sleep(0))
                asyncio.get_running_loop().call_later(0, print)
                await asyncio.sleep(0.01)
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=taskleak, process=True)
    told = {row["call"]: (row["made"], row["ended"]) for row in report(suite)["sites"]}
    assert told == {"asyncio.create_task": (1, {"completed": 1}), "loop.call_later": (1, {"unknown": 1})}


def test_collecting_alone_reads_the_source(suite: Suite) -> None:
    done = gated(suite, BARE.format(""), "--collect-only")
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_names_of_reports_count_from_the_right_folder(suite: Suite, tmp_path: Path) -> None:
    suite.ini["taskleak_audit_report"] = "from_ini.md"
    suite("def test_a(): pass", f"--taskleak-audit-report={tmp_path / 'absolute.json'}", taskleak=False)
    assert (suite.pytester.path / "from_ini.md").exists()
    assert (tmp_path / "absolute.json").exists()
