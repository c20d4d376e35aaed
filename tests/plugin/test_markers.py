"""What do the markers do, and which one wins?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite


def test_marker_switches_one_test_on(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.taskleak
        async def test_bare():
            asyncio.create_task(forever(), name="bare")

        @pytest.mark.taskleak(mode="warn")
        async def test_warned():
            asyncio.create_task(forever(), name="warned")

        async def test_unwatched():
            asyncio.create_task(forever(), name="unwatched")
        """,
        taskleak=False,
        process=True,
    )
    assert done.told() == {"test_bare": ["TL101 bare"], "test_warned": ["TL101 warned"]}
    assert done.failed() == [("test_bare", "call")]


def test_allow_alone_does_not_switch_on(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.taskleak(allow="task:other")
        async def test_a():
            asyncio.create_task(forever(), name="left")
        """,
        taskleak=False,
        process=True,
    )
    assert done.ret == pytest.ExitCode.OK
    assert done.told() == {}


def test_environment_beats_markers(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.taskleak(mode="fail")
        async def test_a():
            asyncio.create_task(forever())
        """,
        taskleak=False,
        env={"TASKLEAK": "off"},
        process=True,
    )
    assert done.ret == pytest.ExitCode.OK


def test_nearest_marker_wins(suite: Suite) -> None:
    done = suite(
        """
        pytestmark = pytest.mark.taskleak(mode="off")

        async def test_module():
            asyncio.create_task(forever(), name="module")

        @pytest.mark.taskleak(mode="warn")
        class TestClass:
            async def test_class(self):
                asyncio.create_task(forever(), name="class")

            @pytest.mark.taskleak(mode="fail")
            async def test_method(self):
                asyncio.create_task(forever(), name="method")
        """,
        process=True,
    )
    assert done.told() == {
        "TestClass::test_class": ["TL101 class"],
        "TestClass::test_method": ["TL101 method"],
    }
    assert done.failed() == [("TestClass::test_method", "call")]


def test_allow_accumulates(suite: Suite) -> None:
    done = suite(
        """
        pytestmark = pytest.mark.taskleak(allow="task:module")

        @pytest.mark.taskleak(allow=["task:class", "timer:*"])
        class TestClass:
            @pytest.mark.taskleak(allow="task:method", reason="closed by the server")
            async def test_method(self):
                for name in ("module", "class", "method", "other"):
                    asyncio.create_task(forever(), name=name)
        """,
        "-vv",
    )
    (report,) = [r for r in done.reports if r.taskleak]
    assert report.taskleak is not None
    assert [f["name"] for f in report.findings] == ["other"]
    rules = {f["name"]: f["rule"] for f in report.taskleak["allowed"]}
    assert set(rules) == {"module", "class", "method"}
    assert "because closed by the server" in rules["method"]


@pytest.mark.parametrize("place", ["function", "class", "module"])
def test_no_taskleak(suite: Suite, place: str) -> None:
    marks = {
        p: '@pytest.mark.no_taskleak(reason="known")' if p == place else "" for p in ("function", "class")
    }
    module = "pytestmark = pytest.mark.no_taskleak" if place == "module" else ""
    done = suite(
        f"""
        {module}

        {marks["class"]}
        class TestClass:
            {marks["function"]}
            async def test_a(self):
                asyncio.create_task(forever())
                asyncio.get_running_loop().call_later(60, print)

        def test_neighbour():
            pass
        """,
        process=True,
    )
    assert done.told() == {}
    assert done.counts == "2 passed"


def test_taskleak_nearer_than_no_taskleak(suite: Suite) -> None:
    done = suite(
        """
        pytestmark = pytest.mark.no_taskleak

        @pytest.mark.taskleak
        async def test_a():
            asyncio.create_task(forever(), name="left")
        """
    )
    assert done.told() == {"test_a": ["TL101 left"]}


def test_detect_and_grace(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.taskleak(detect="timer")
        async def test_timers_only():
            asyncio.create_task(forever())

        @pytest.mark.taskleak(detect=["-task"])
        async def test_all_but_tasks():
            asyncio.create_task(forever())
            asyncio.get_running_loop().call_later(60, print)

        @pytest.mark.taskleak(grace=5)
        def test_patient():
            threading.Timer(0.2, print).start()
        """
    )
    assert done.told() == {"test_all_but_tasks": ["TL201 print"]}


def test_expected_leak_passes(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.taskleak(expect="task:left")
        async def test_a():
            asyncio.create_task(forever(), name="left")
        """
    )
    assert done.ret == pytest.ExitCode.OK, done.out
    assert done.findings() == []


def test_expected_leak_that_does_not_come_fails(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.taskleak(expect=["task:left", "timer:*"])
        async def test_one_of_two():
            asyncio.create_task(forever(), name="left")

        @pytest.mark.taskleak(expect="task:left")
        def test_none():
            pass
        """
    )
    assert [name for name, _ in done.failed()] == ["test_one_of_two", "test_none"], done.out
    assert "timer:*" in done.of("test_one_of_two", "call")[0].text
    assert "task:left" in done.of("test_none", "call")[0].text


def test_expect_does_not_excuse_others(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.taskleak(expect="task:left")
        async def test_a():
            asyncio.create_task(forever(), name="left")
            asyncio.create_task(forever(), name="other")
        """
    )
    assert done.told() == {"test_a": ["TL101 other"]}


@pytest.mark.parametrize(
    ("marker", "parts"),
    [
        (
            "taskleak(alow='task:x')",
            ["'alow'", "did you mean 'allow'", "mode, allow, grace, detect, expect, reason"],
        ),
        ("taskleak('task:x')", ["keyword arguments only", "'task:x'"]),
        ("taskleak(mode='strict')", ["'mode'", "'strict'", "fail, warn, off"]),
        ("taskleak(mode=None)", []),
        ("taskleak(grace='long')", ["'grace'", "'long'"]),
        ("taskleak(grace=True)", ["'grace'", "True"]),
        ("taskleak(detect='taks')", ["'detect'", "'taks'", "did you mean 'task'"]),
        ("taskleak(allow='taks:x')", ["'taks:x'", "did you mean 'task'"]),
        ("taskleak(allow=3)", ["non-empty string", "3"]),
        ("taskleak(expect='task:')", ["'task:'", "the pattern is empty"]),
        ("taskleak(expect=())", []),
        ("taskleak(detect=5)", ["'detect'", "5"]),
        ("taskleak(reason=5)", ["'reason'", "5"]),
        ("no_taskleak(mode='fail')", ["no_taskleak", "'mode'", "reason"]),
        ("no_taskleak('because')", ["no_taskleak", "keyword arguments only", "'because'"]),
    ],
)
def test_usage_errors_of_markers(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, marker: str, parts: list[str]
) -> None:
    pytester.makepyfile(test_it=f"import pytest\n\n@pytest.mark.{marker}\ndef test_a(): pass\n")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    done = pytester.runpytest_inprocess("--taskleak", "-p", "taskleak")
    text = done.stderr.str() + done.stdout.str()
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    assert done.ret == (pytest.ExitCode.USAGE_ERROR if parts else pytest.ExitCode.OK)
    for part in [*parts, "test_it.py::test_a"] if parts else []:
        assert part in text


def test_markers_are_checked_with_the_option_off(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile("import pytest\n\n@pytest.mark.taskleak(alow='task:x')\ndef test_a(): pass\n")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    done = pytester.runpytest_inprocess("-p", "taskleak")
    assert done.ret == pytest.ExitCode.USAGE_ERROR


def test_markers_of_fixture_scopes(suite: Suite) -> None:
    done = suite(
        """
        pytestmark = pytest.mark.taskleak(allow="thread:module-*")

        @pytest.fixture(scope="module")
        def server():
            threading.Thread(target=threading.Event().wait, name="module-server", daemon=True).start()

        def test_a(server):
            pass
        """
    )
    assert done.told() == {}


def test_strict_xfail_with_a_fixture_that_has_teardown(suite: Suite) -> None:
    done = suite(
        """
        import pytest_taskleak

        @pytest.fixture
        async def fixture():
            yield

        @pytest.mark.xfail(strict=True, raises=pytest_taskleak.TaskLeak)
        async def test_a(fixture):
            asyncio.create_task(forever())
        """
    )
    assert done.counts == "1 xfailed"


def test_unknown_ini_key(suite: Suite) -> None:
    suite.ini["taskleak_alow"] = "task:x"
    suite.write("def test_a(): pass")
    done = suite.run(process=True)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "unknown ini key 'taskleak_alow', did you mean 'taskleak_allow'?" in done.err


def test_rules_are_not_called_unused_after_a_broken_collection(suite: Suite) -> None:
    suite.write("raise RuntimeError")
    done = suite.run("--taskleak-allow=task:x", process=True)
    assert "matched nothing" not in done.out
