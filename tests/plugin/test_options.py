"""Which option, ini key and environment variable wins, and what does each do?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

LEAKS = """
    async def test_leaks():
        asyncio.create_task(forever(), name="left")

    def test_tidy():
        pass
"""
UsageError = Callable[..., str]


def test_flag_takes_no_value(suite: Suite) -> None:
    suite.write(LEAKS)
    done = suite.run("test_it.py")
    assert done.told() == {"test_leaks": ["TL101 left"]}
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_off_without_asking(suite: Suite) -> None:
    done = suite(LEAKS, taskleak=False, process=True)
    assert done.ret == pytest.ExitCode.OK
    assert done.told() == {}
    assert "taskleak" not in done.out.partition("collected")[2]
    assert "taskleak:" not in done.out


@pytest.mark.parametrize(
    ("args", "ini", "env", "outcome"),
    [
        ((), "fail", {}, "fail"),
        ((), "warn", {}, "warn"),
        ((), "off", {}, "off"),
        (("--taskleak",), "off", {}, "fail"),
        (("--taskleak",), "warn", {}, "warn"),
        (("--taskleak-mode=warn",), "fail", {}, "warn"),
        (("--taskleak-mode=off",), "fail", {}, "off"),
        (("--taskleak", "--taskleak-mode=off"), "fail", {}, "off"),
        (("--taskleak", "--taskleak-mode=warn"), "off", {}, "warn"),
        (("--taskleak",), "fail", {"TASKLEAK": "off"}, "off"),
        (("--taskleak-mode=fail",), "off", {"TASKLEAK": "0"}, "off"),
        (("--taskleak",), "off", {"TASKLEAK": "on"}, "fail"),
    ],
)
def test_precedence(suite: Suite, args: tuple[str, ...], ini: str, env: dict[str, str], outcome: str) -> None:
    suite.ini["taskleak"] = ini
    done = suite(LEAKS, *args, taskleak=False, env=env, process=outcome == "off")
    levels = [f["severity"] for f in done.findings()]
    assert levels == {"fail": ["fail"], "warn": ["warn"], "off": []}[outcome]
    assert done.ret == (pytest.ExitCode.TESTS_FAILED if outcome == "fail" else pytest.ExitCode.OK)


def test_warn_shows_a_warning(suite: Suite) -> None:
    done = suite(LEAKS, "--taskleak-mode=warn")
    assert done.ret == pytest.ExitCode.OK
    assert done.counts == "2 passed, 1 warning"
    assert "TaskleakWarning: 1 task outlived the test: 'left' [TL101]" in done.out
    assert "test_it.py::test_leaks" in done.out.partition("warnings summary")[2]


def test_warn_is_upgraded_by_the_warnings_filter(suite: Suite) -> None:
    done = suite(LEAKS, "--taskleak-mode=warn", "-W", "error::pytest_taskleak.TaskleakWarning")
    assert done.ret == pytest.ExitCode.TESTS_FAILED, done.out
    assert done.counts == "1 failed, 1 passed"
    assert "INTERNALERROR" not in done.out


def test_environment_value_is_checked(suite: Suite) -> None:
    done = suite(LEAKS, env={"TASKLEAK": "maybe"})
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "TASKLEAK" in done.err
    assert "'maybe'" in done.err


def test_off_patches_nothing(suite: Suite) -> None:
    suite.write(
        """
        import concurrent.futures.thread, _thread

        def test_untouched(pytestconfig):
            import asyncio.runners
            assert not hasattr(asyncio.BaseEventLoop.create_task, "__wrapped__")
            assert not hasattr(asyncio.BaseEventLoop.call_at, "__wrapped__")
            assert not hasattr(asyncio.BaseEventLoop.close, "__wrapped__")
            assert not hasattr(asyncio.runners._cancel_all_tasks, "__wrapped__")
            assert not hasattr(threading.Thread.start, "__wrapped__")
            assert type(_thread.start_new_thread).__name__ == "builtin_function_or_method"
            assert not hasattr(concurrent.futures.ThreadPoolExecutor.__init__, "__wrapped__")
            names = [n for n, _ in pytestconfig.pluginmanager.list_name_plugin() if "taskleak" in n]
            assert sorted(names) == ["taskleak", "taskleak-starter"]
        """
    )
    done = suite.run(taskleak=False, process=True)
    assert done.ret == pytest.ExitCode.OK, done.out


def test_plugin_can_be_blocked(suite: Suite) -> None:
    suite.write(LEAKS)
    done = suite.run("-p", "no:taskleak", taskleak=False, process=True)
    assert done.counts == "2 passed"


def test_plugin_is_loaded_by_its_module(suite: Suite) -> None:
    suite.plugins = ["asyncio", "pytest_taskleak.plugin"]
    done = suite(LEAKS, process=True)
    assert done.counts == "1 failed, 1 passed"


def test_without_pytest_asyncio(suite: Suite) -> None:
    suite.plugins = ["taskleak"]
    suite.ini.clear()
    done = suite(
        """
        def test_run():
            async def main():
                asyncio.create_task(forever(), name="left")
            asyncio.run(main())

        def test_tidy():
            asyncio.run(asyncio.sleep(0))
        """,
        "-p",
        "no:asyncio",
    )
    assert done.told() == {"test_run": ["TL102 left"]}


def test_grace_lets_something_outside_finish(suite: Suite) -> None:
    tests = """
        def test_ends_soon():
            threading.Timer(0.15, print).start()
    """
    assert suite(tests, "--taskleak-grace=5").told() == {}
    suite.ini["taskleak_grace"] = "0"
    assert len(suite(tests).findings("test_ends_soon")) == 1
    assert suite(tests, "--taskleak-grace", "5").told() == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("task", {"test_leaks"}),
        ("timer", {"test_timer"}),
        ("timers", {"test_timer"}),
        ("task,timer", {"test_leaks", "test_timer"}),
        ("-task", {"test_timer"}),
        ("-task -timer", set()),
        ("+task", {"test_leaks", "test_timer"}),
        ("handle", {"test_timer"}),
    ],
)
def test_detect_chooses_kinds(suite: Suite, words: str, told: set[str]) -> None:
    suite.ini["taskleak_detect"] = words
    done = suite(
        LEAKS
        + """
    async def test_timer():
        asyncio.get_running_loop().call_later(60, print)
"""
    )
    assert set(done.told()) == told


def test_detect_on_the_command_line_wins(suite: Suite) -> None:
    suite.ini["taskleak_detect"] = "task"
    assert suite(LEAKS, "--taskleak-detect=timer,thread").told() == {}


def test_allow_adds_up_over_places(suite: Suite) -> None:
    suite.ini["taskleak_allow"] = "\n  task:left\n  timer:callback=builtins:pr*"
    tests = (
        LEAKS
        + """
    async def test_timer():
        asyncio.get_running_loop().call_later(60, print)

    async def test_third():
        asyncio.create_task(forever(), name="third")
"""
    )
    done = suite(tests)
    assert done.told() == {"test_third": ["TL101 third"]}
    allowed = [f["rule"] for r in done.reports if r.taskleak for f in r.taskleak["allowed"]]
    assert allowed == [
        "'task:left' (ini taskleak_allow)",
        "'timer:callback=builtins:pr*' (ini taskleak_allow)",
    ]
    done = suite(tests, "--taskleak-allow=TL101:third", "--taskleak-allow=thread:*")
    assert done.told() == {}


def test_severity_softens_a_kind_or_a_code(suite: Suite) -> None:
    tests = (
        LEAKS
        + """
    async def test_timer():
        asyncio.get_running_loop().call_later(60, print)
"""
    )
    suite.ini["taskleak_severity"] = "\n  timer=warn"
    done = suite(tests)
    assert {r.name: r.findings[0]["severity"] for r in done.reports if r.findings} == {
        "test_leaks": "fail",
        "test_timer": "warn",
    }
    done = suite(tests, "--taskleak-severity=TL101=ignore", "--taskleak-severity", "TL201=note")
    assert [f["severity"] for f in done.findings()] == ["note"]
    assert done.ret == pytest.ExitCode.OK


def test_severity_of_the_command_line_wins(suite: Suite) -> None:
    suite.ini["taskleak_severity"] = "\n  task=ignore"
    done = suite(LEAKS, "--taskleak-severity=task=warn")
    assert [f["severity"] for f in done.findings()] == ["warn"]


@pytest.mark.parametrize("level", ["fail", "warn", "ignore"])
def test_library_leaks(suite: Suite, level: str) -> None:
    package = suite.pytester.mkdir("site-packages")
    (package / "pooling.py").write_text(
        "import threading\n\n\ndef _serve(stop):\n    stop.wait()\n\n\n"
        "class Hook:\n    def __del__(self):\n        pass\n\n"
        "def pytest_runtest_call(item):\n"
        "    stop = threading.Event()\n"
        "    threading.Thread(target=_serve, args=(stop,), name='served', daemon=True).start()\n"
    )
    suite.ini["taskleak_library"] = level
    suite.write("def test_a(): pass")
    done = suite.run("-p", "pooling", env={"PYTHONPATH": f"{suite.pytester.path}:{package}"})
    levels = [f["severity"] for f in done.findings()]
    assert levels in ([], [level]) if level != "ignore" else levels == []


# --- usage errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (
            ["--taskleak-mode=fial"],
            ["'mode'", "fail, warn, off", "'fial'", "did you mean 'fail'", "--taskleak-mode"],
        ),
        (["--taskleak-grace=-1"], ["'grace'", "seconds, 0 or more", "'-1'", "--taskleak-grace"]),
        (["--taskleak-grace=soon"], ["'grace'", "'soon'", "--taskleak-grace"]),
        (["--taskleak-grace=nan"], ["'grace'", "'nan'", "--taskleak-grace"]),
        (["--taskleak-grace=inf"], ["'grace'", "'inf'", "--taskleak-grace"]),
        (
            ["--taskleak-detect=tsk"],
            [
                "'detect'",
                "task, timer, thread, executor",
                "'tsk'",
                "did you mean 'task'",
                "--taskleak-detect",
            ],
        ),
        (["--taskleak-detect=+thraed"], ["'thraed'", "did you mean 'thread'"]),
        (["--taskleak-library=loud"], ["'library'", "fail, warn, ignore", "'loud'", "--taskleak-library"]),
        (["--taskleak-severity=task=loud"], ["'severity'", "fail, warn, note, ignore", "'loud'"]),
        (["--taskleak-severity=task"], ["'severity'", "--taskleak-severity"]),
        (["--taskleak-severity=tsak=warn"], ["'tsak=warn'", "did you mean 'task'"]),
        (["--taskleak-severity=TL9O2=warn"], ["'TL9O2=warn'", "did you mean 'TL902'"]),
        (
            ["--taskleak-allow=tsk:x"],
            ["'tsk:x'", "did you mean 'task'", "task, timer, thread, executor", "TL101"],
        ),
        (["--taskleak-allow=task"], ["'task'", "a pattern is missing", "'task:*'"]),
        (["--taskleak-allow=task:"], ["'task:'", "the pattern is empty"]),
        (
            ["--taskleak-allow=task:nmae=x"],
            ["'nmae'", "did you mean 'name'", "coroutine", "--taskleak-allow"],
        ),
        (["--taskleak-allow="], ["non-empty", "--taskleak-allow"]),
        (["--taskleak-allow=TL999"], ["'TL999'", "TL101"]),
        (
            ["--taskleak-explain=long"],
            ["'explain'", "none, short, full", "'long'", "--taskleak-explain"],
        ),
        (
            ["--taskleak-report=report.xml"],
            ["'report'", "must end in one of .json, .html, .mmd, .dot", "'report.xml'", "--taskleak-report"],
        ),
        (["--taskleak-report=report"], ["'report'", ".json, .html, .mmd, .dot", "'report'"]),
        (["--taskleak-timeout=soon"], ["'timeout'", "seconds, 0 or more", "'soon'", "--taskleak-timeout"]),
        (["--taskleak-timeout=-1"], ["'timeout'", "'-1'"]),
        (["--taskleak-exit=nan"], ["'exit'", "seconds, 0 or more", "'nan'", "--taskleak-exit"]),
        (
            ["--taskleak-signal=UST1"],
            ["'signal'", "none, ", "USR1", "'UST1'", "did you mean 'USR1'", "--taskleak-signal"],
        ),
        (["--taskleak-signal=KILL"], ["'signal'", "'KILL'"]),
    ],
)
def test_usage_errors_of_the_command_line(usage_error: UsageError, args: list[str], parts: list[str]) -> None:
    text = usage_error("--taskleak", *args)
    assert "taskleak: " in text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("ini", "parts"),
    [
        ({"taskleak": "true"}, ["'mode'", "fail, warn, off", "'true'", "ini taskleak"]),
        ({"taskleak_grace": "-0.5"}, ["'grace'", "-0.5", "ini taskleak_grace"]),
        ({"taskleak_grace": "soon"}, ["'soon'", "taskleak_grace"]),
        ({"taskleak_detect": "task treads"}, ["'treads'", "did you mean 'thread'", "ini taskleak_detect"]),
        ({"taskleak_allow": "\n  pool:x"}, ["'pool:x'", "ini taskleak_allow"]),
        ({"taskleak_library": "no"}, ["'library'", "'no'", "ini taskleak_library"]),
        ({"taskleak_severity": "\n  task=worn"}, ["'worn'", "did you mean 'warn'", "ini taskleak_severity"]),
        ({"taskleak_explain": "all"}, ["'explain'", "none, short, full", "'all'", "ini taskleak_explain"]),
        ({"taskleak_report": "\n  a.json\n  b.svg"}, ["'report'", "'b.svg'", "ini taskleak_report"]),
        ({"taskleak_timeout": "-2"}, ["'timeout'", "-2", "ini taskleak_timeout"]),
        ({"taskleak_exit": "soon"}, ["'exit'", "'soon'", "ini taskleak_exit"]),
        ({"taskleak_signal": "sigfoo"}, ["'signal'", "'sigfoo'", "ini taskleak_signal"]),
        ({"taskleak_time": "3"}, ["'taskleak_time'", "did you mean 'taskleak_timeout'"]),
        ({"verbosity_taskleak": "loud"}, ["'verbosity'", "'loud'", "ini verbosity_taskleak"]),
    ],
)
def test_usage_errors_of_the_ini_file(usage_error: UsageError, ini: dict[str, str], parts: list[str]) -> None:
    text = usage_error("--taskleak", **ini)
    assert "Traceback" not in text
    for part in parts:
        assert part in text


def test_a_folder_is_no_report(usage_error: UsageError, tmp_path: Path) -> None:
    folder = tmp_path / "graph.mmd"
    folder.mkdir()
    assert "must be a file, not a folder" in usage_error(f"--taskleak-report={folder}")


# --- files --------------------------------------------------------------------------------------

DEADLOCK = """
    async def one(first, second, ready):
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    async def test_deadlock():
        a, b = asyncio.Lock(), asyncio.Lock()
        asyncio.create_task(one(a, b, None), name="one")
        asyncio.create_task(one(b, a, None), name="two")
        await asyncio.sleep(0.01)

    @pytest.mark.taskleak(allow="task:name=allowed")
    async def test_allowed():
        asyncio.create_task(forever(), name="allowed")
"""


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=["plain", "workers"])
def test_reports_hold_the_whole_session(suite: Suite, args: tuple[str, ...]) -> None:
    suite.plugins.append("xdist")
    files = [f"--taskleak-report=out/deep/session{suffix}" for suffix in (".json", ".mmd", ".dot")]
    done = suite(DEADLOCK, *files, *args, process=True)
    folder = suite.pytester.path / "out" / "deep"
    data = json.loads((folder / "session.json").read_text())
    assert sorted(data) == ["allowed", "findings", "graphs", "notes", "reaped", "schema", "unmet"]
    assert sorted(f["name"] for f in data["findings"]) == ["one", "two"]
    assert [f["name"] for f in data["allowed"]] == ["allowed"]
    assert data["reaped"]["cancelled"] >= 2
    assert done.out.count("taskleak: wrote ") == 3
    mermaid = (folder / "session.mmd").read_text()
    assert mermaid.startswith("graph")
    assert "task 'one'" in mermaid
    dot = (folder / "session.dot").read_text()
    assert dot.startswith("digraph")
    assert "task 'two'" in dot


def test_reports_are_written_where_the_summary_is_off(suite: Suite) -> None:
    suite.ini["taskleak_report"] = "\n  plain.json"
    suite(DEADLOCK, "--no-summary", process=True)
    data = json.loads((suite.pytester.path / "plain.json").read_text())
    assert sorted(f["name"] for f in data["findings"]) == ["one", "two"]


def test_a_report_that_cannot_be_written_is_a_warning(suite: Suite) -> None:
    suite.pytester.makefile(".txt", blocked="a file, no folder")
    done = suite("def test_a(): pass", "--taskleak-report=blocked.txt/graph.dot", process=True)
    assert done.ret == pytest.ExitCode.OK
    assert "taskleak: warning: " in done.out
    assert "graph.dot could not be written: " in done.out


@pytest.mark.parametrize("flag", ["--taskleak-timeout=9", "--taskleak-exit=9", "--taskleak-explain=none"])
def test_what_is_asked_beside_the_watch_does_not_switch_it_on(suite: Suite, flag: str) -> None:
    done = suite(LEAKS, flag, taskleak=False, process=True)
    assert done.counts == "2 passed"
    assert done.told() == {}


def test_environment_switches_everything_off(suite: Suite) -> None:
    tests = "import time\ndef test_a(): time.sleep(0.4)"
    done = suite(
        tests, "--taskleak-timeout=0.1", "--taskleak-report=a.json", env={"TASKLEAK": "off"}, process=True
    )
    assert done.counts == "1 passed"
    assert not (suite.pytester.path / "a.json").exists()


def test_usage_errors_come_with_the_option_off(usage_error: UsageError) -> None:
    assert "'fial'" in usage_error("--taskleak-library=fial")


@pytest.mark.parametrize("detect", ["", " ", ","])
def test_empty_detect_means_the_default(suite: Suite, detect: str) -> None:
    assert set(suite(LEAKS, f"--taskleak-detect={detect}").told()) == {"test_leaks"}


def test_options_are_in_the_help(suite: Suite) -> None:
    done = suite.run("--help", taskleak=False)
    for word in (
        "--taskleak ",
        "--taskleak-mode",
        "--taskleak-grace",
        "--taskleak-allow",
        "--taskleak-explain",
        "--taskleak-report=PATH",
        "--taskleak-timeout",
        "--taskleak-exit",
        "--taskleak-signal",
        "verbosity_taskleak",
    ):
        assert word in done.out


def test_markers_are_listed(suite: Suite) -> None:
    done = suite.run("--markers", taskleak=False)
    assert "@pytest.mark.taskleak(*, mode=None" in done.out
    assert "@pytest.mark.no_taskleak(*, reason='')" in done.out
