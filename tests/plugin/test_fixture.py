"""What does the fixture `taskleak` tell and allow in the middle of a test?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite


@pytest.mark.parametrize("taskleak", [True, False], ids=["on", "off"])
def test_check(suite: Suite, taskleak: bool) -> None:
    done = suite(
        """
        from pytest_taskleak import TaskLeak

        async def test_async(taskleak):
            await taskleak.check()
            task = asyncio.create_task(forever(), name="left")
            with pytest.raises(TaskLeak, match="1 task outlived the test: 'left'"):
                await taskleak.check()
            task.cancel()
            await taskleak.check()

        def test_sync(taskleak):
            taskleak.check()
            stop = threading.Event()
            thread = threading.Thread(target=stop.wait, name="left")
            thread.start()
            with pytest.raises(TaskLeak, match="1 thread"):
                taskleak.check()
            stop.set()
            taskleak.check()

        async def test_check_fails(taskleak):
            task = asyncio.create_task(forever(), name="left")
            try:
                await taskleak.check()
            finally:
                task.cancel()
        """,
        taskleak=taskleak,
        process=True,
    )
    assert done.failed() == [("test_check_fails", "call")], done.out
    assert "1 task outlived the test: 'left' [TL101]" in done.one("test_check_fails", "call").text


def test_allow(suite: Suite) -> None:
    done = suite(
        """
        async def test_a(taskleak):
            taskleak.allow("task:left", "timer:*", reason="known")
            asyncio.create_task(forever(), name="left")
            asyncio.get_running_loop().call_later(60, print)
            asyncio.create_task(forever(), name="other")

        def test_bad_rule(taskleak):
            with pytest.raises(pytest.UsageError, match="did you mean 'task'"):
                taskleak.allow("taks:left")

        async def test_next(taskleak):
            asyncio.create_task(forever(), name="left")
        """
    )
    assert done.told() == {"test_a": ["TL101 other"], "test_next": ["TL101 left"]}
    rules = [f["rule"] for r in done.reports if r.taskleak for f in r.taskleak["allowed"]]
    assert rules == [
        "'task:left' (fixture taskleak.allow, because known)",
        "'timer:*' (fixture taskleak.allow, because known)",
    ]


def test_pending_and_owned_by(suite: Suite) -> None:
    done = suite(
        """
        import pytest_taskleak

        @pytest.fixture
        async def server():
            task = asyncio.create_task(forever(), name="server")
            yield
            task.cancel()

        async def test_a(server, taskleak):
            assert taskleak.pending() == []
            task = asyncio.create_task(forever(), name="mine")
            timer = asyncio.get_running_loop().call_later(60, print)
            assert [f.resource.name for f in taskleak.pending()] == ["mine", "print"]
            assert [f.kind for f in taskleak.pending("timer")] == ["timer"]
            assert [f.kind for f in taskleak.pending("timers")] == ["timer"]
            (found,) = taskleak.pending("task")
            assert isinstance(found, pytest_taskleak.Finding)
            assert found.owner.kind == "test"
            assert [f.resource.name for f in taskleak.owned_by("server")] == ["server"]
            with pytest.raises(pytest.UsageError, match="in use are server"):
                taskleak.owned_by("nobody")
            with pytest.raises(pytest.UsageError, match="did you mean 'task'"):
                taskleak.pending("taks")
            task.cancel()
            timer.cancel()
        """
    )
    assert done.ret == pytest.ExitCode.OK, done.out


def test_fixture_does_not_change_the_phase_of_the_verdict(suite: Suite) -> None:
    done = suite(
        """
        async def test_a(taskleak):
            asyncio.create_task(forever(), name="left")
        """
    )
    assert done.failed() == [("test_a", "call")]


def test_fixture_asked_for_by_a_wide_fixture(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture(scope="module")
        def wide(taskleak):
            pass

        def test_a(wide):
            pass
        """
    )
    assert "ScopeMismatch" in done.out


def test_fixture_by_name_at_run_time(suite: Suite) -> None:
    done = suite(
        """
        async def test_a(request):
            request.getfixturevalue("taskleak")
        """,
        taskleak=False,
        process=True,
    )
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert "name the fixture taskleak among the test's arguments" in done.out


def test_fixture_with_the_environment_off(suite: Suite) -> None:
    done = suite(
        """
        async def test_a(taskleak):
            assert taskleak.pending() == []
            await taskleak.check()
            asyncio.create_task(forever(), name="left")
        """,
        taskleak=False,
        env={"TASKLEAK": "off"},
        process=True,
    )
    assert done.ret == pytest.ExitCode.OK, done.out


def test_fixture_alone_does_not_fail_the_test(suite: Suite) -> None:
    done = suite(
        """
        async def test_a(taskleak):
            asyncio.create_task(forever(), name="left")
            assert [f.resource.name for f in taskleak.pending()] == ["left"]
        """,
        taskleak=False,
        process=True,
    )
    assert done.ret == pytest.ExitCode.OK, done.out


def test_fixture_is_listed(suite: Suite) -> None:
    done = suite.run("--fixtures", taskleak=False)
    assert "taskleak" in done.out
    assert "The watch over this test: check(), allow(), pending(), owned_by(), explain()." in done.out
