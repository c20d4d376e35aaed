"""How does a leak become a result: in which phase, beside which failure, and for which tool?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite


def test_call_phase_when_no_teardown_is_to_come(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture
        def plain():
            return 1

        @pytest.fixture
        def closing():
            yield 1

        async def test_none():
            asyncio.create_task(forever(), name="left")

        async def test_builtin(tmp_path, monkeypatch, capsys):
            asyncio.create_task(forever(), name="left")

        async def test_plain(plain):
            asyncio.create_task(forever(), name="left")

        async def test_closing(closing):
            asyncio.create_task(forever(), name="left")

        @pytest.fixture(scope="module")
        def wide():
            yield

        async def test_wide(wide):
            asyncio.create_task(forever(), name="left")

        async def test_finalizer(request):
            request.addfinalizer(lambda: None)
            asyncio.create_task(forever(), name="left")

        """
    )
    assert done.failed() == [
        ("test_none", "call"),
        ("test_builtin", "call"),
        ("test_plain", "call"),
        ("test_closing", "teardown"),
        ("test_wide", "call"),
        ("test_finalizer", "teardown"),
    ]
    assert done.counts == "4 failed, 2 passed, 2 errors"


def test_letters_words_and_counts(suite: Suite) -> None:
    tests = """
        @pytest.fixture
        def closing():
            yield 1

        async def test_a():
            asyncio.create_task(forever(), name="left")

        def test_b():
            pass

        async def test_c(closing):
            asyncio.create_task(forever(), name="left")

        def test_d():
            assert 0
    """
    done = suite(tests)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert "test_it.py L..LF" in done.out
    assert done.counts == "2 failed, 2 passed, 1 error"
    summary = done.out.partition("short test summary info")[2]
    assert "LEAKED test_it.py::test_a - TaskLeak: 1 task outlived the test: 'left' [TL101]" in summary
    assert "LEAKED test_it.py::test_c - TaskLeak: 1 task" in summary
    done = suite(tests, "-v")
    assert "test_it.py::test_a LEAKED" in done.out


def test_own_failure_stays_first(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture
        def closing():
            yield 1

        async def test_call():
            asyncio.create_task(forever(), name="left")
            assert "mine" == "first"

        async def test_teardown(closing):
            asyncio.create_task(forever(), name="left")
            assert "mine" == "first"
        """
    )
    assert done.counts == "2 failed"
    for name in ("test_call", "test_teardown"):
        report = done.one(name, "call")
        assert report.text.count("assert 'mine' == 'first'") == 1
        assert "TaskLeak" not in report.text
        assert "task 'left' (forever)" in done.out
    assert "task 'left' (forever)" in done.one("test_call", "call").section
    assert [f["severity"] for f in done.findings()] == ["note", "note"]
    assert done.out.count("  task 'left' (forever)") == 2


def test_own_failure_stays_first_on_workers(suite: Suite) -> None:
    suite.plugins.append("xdist")
    done = suite(
        """
        async def test_call():
            asyncio.create_task(forever(), name="left")
            assert "mine" == "first"

        @pytest.fixture
        def closing():
            yield 1

        async def test_teardown(closing):
            asyncio.create_task(forever(), name="left")
            assert "mine" == "first"
        """,
        "-n2",
        process=True,
    )
    assert done.counts == "2 failed"
    assert "task 'left' (forever)" in done.one("test_call", "call").section
    assert done.out.count("  task 'left' (forever)") == 2


def test_leftovers_of_a_failed_test_are_removed(suite: Suite) -> None:
    done = suite(
        """
        seen = []

        async def late():
            try:
                await forever()
            finally:
                seen.append("cancelled")

        async def test_a():
            asyncio.create_task(late(), name="left")
            await asyncio.sleep(0)
            assert 0

        def test_b():
            assert seen == ["cancelled"]
        """
    )
    assert done.counts == "1 failed, 1 passed"


def test_error_in_setup(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture
        async def broken():
            asyncio.create_task(forever(), name="left")
            raise ValueError("setup")

        async def test_a(broken):
            pass

        def test_b():
            pass
        """
    )
    assert done.failed()[0] == ("test_a", "setup")
    assert "ValueError: setup" in done.one("test_a", "setup").text
    assert done.one("test_b", "call").outcome == "passed"


def test_unittest_items(suite: Suite) -> None:
    done = suite(
        """
        import unittest

        class TestPlain(unittest.TestCase):
            def test_leaks(self):
                threading.Thread(target=threading.Event().wait, name="left", daemon=True).start()

            def test_fails(self):
                threading.Thread(target=threading.Event().wait, name="failing", daemon=True).start()
                self.assertEqual(1, 2)

            def test_subtests(self):
                for i in range(2):
                    with self.subTest(i=i):
                        threading.Thread(target=threading.Event().wait, name=f"sub-{i}", daemon=True).start()

            def test_tidy(self):
                pass

            @unittest.expectedFailure
            def test_expected(self):
                threading.Thread(target=threading.Event().wait, name="expected", daemon=True).start()
                self.fail()

            def test_skipped(self):
                self.skipTest("not now")

        class TestAsync(unittest.IsolatedAsyncioTestCase):
            async def test_leaks(self):
                asyncio.create_task(forever(), name="left")

            async def test_fails(self):
                asyncio.create_task(forever(), name="left")
                self.assertEqual(1, 2)

            async def asyncTearDown(self):
                pass
        """,
        process=True,
    )
    told = done.told()
    assert told["TestPlain::test_leaks"] == ["TL301 left"]
    assert told["TestPlain::test_fails"] == ["TL301 failing"]
    assert told["TestPlain::test_subtests"] == ["TL301 sub-0"]
    assert done.findings("TestPlain::test_subtests")[0]["count"] == 2
    assert told["TestAsync::test_leaks"] == ["TL102 left"]
    assert set(told) <= {
        "TestPlain::test_leaks",
        "TestPlain::test_fails",
        "TestPlain::test_subtests",
        "TestPlain::test_expected",
        "TestAsync::test_leaks",
        "TestAsync::test_fails",
    }
    assert "AssertionError: 1 != 2" in done.one("TestPlain::test_fails", "call").text
    assert "TaskLeak" not in done.one("TestPlain::test_fails", "call").text
    assert {f["severity"] for f in done.findings("TestPlain::test_fails")} == {"note"}
    assert {f["severity"] for f in done.findings("TestAsync::test_fails")} == {"note"}
    assert done.one("TestPlain::test_expected", "call").outcome == "skipped"


def test_skipped_tests_are_silent(suite: Suite) -> None:
    done = suite(
        """
        async def test_a():
            pytest.skip("not now")

        @pytest.mark.skip
        def test_b():
            pass
        """
    )
    assert done.counts == "2 skipped"


def test_skip_after_a_leak(suite: Suite) -> None:
    done = suite(
        """
        def test_a():
            threading.Thread(target=threading.Event().wait, name="left", daemon=True).start()
            pytest.skip("not now")
        """,
        process=True,
    )
    assert done.one("test_a", "call").outcome == "skipped"
    assert done.told() == {"test_a": ["TL301 left"]}


def test_xfail_strict_raises_taskleak(suite: Suite) -> None:
    done = suite(
        """
        from pytest_taskleak import TaskLeak

        @pytest.mark.xfail(strict=True, raises=TaskLeak)
        async def test_known():
            asyncio.create_task(forever(), name="left")

        @pytest.mark.xfail(strict=True, raises=TaskLeak)
        async def test_other_failure():
            asyncio.create_task(forever(), name="left")
            raise ValueError

        @pytest.mark.xfail(strict=True, raises=TaskLeak)
        def test_fixed():
            pass

        @pytest.mark.xfail(strict=True, raises=ValueError)
        async def test_expected_failure():
            asyncio.create_task(forever(), name="left")
            raise ValueError
        """
    )
    assert [(r.name, r.outcome) for r in done.reports if r.when == "call"] == [
        ("test_known", "skipped"),
        ("test_other_failure", "failed"),
        ("test_fixed", "failed"),
        ("test_expected_failure", "skipped"),
    ]
    assert done.counts == "2 failed, 2 xfailed"


def test_exit_first_stops_at_a_leak(suite: Suite) -> None:
    done = suite(
        """
        async def test_a():
            asyncio.create_task(forever(), name="left")

        def test_b():
            pass
        """,
        "-x",
    )
    assert done.counts.startswith("1 failed")
    assert done.of("test_b") == []


def test_last_failed_runs_leaking_tests_again(suite: Suite) -> None:
    suite.write(
        """
        @pytest.fixture
        def closing():
            yield

        async def test_a():
            asyncio.create_task(forever(), name="left")

        def test_b():
            pass

        async def test_c(closing):
            asyncio.create_task(forever(), name="left")
        """
    )
    suite.run()
    done = suite.run("--lf")
    assert {r.name for r in done.reports} == {"test_a", "test_c"}


def test_reruns(suite: Suite) -> None:
    suite.plugins.append("rerunfailures")
    done = suite(
        """
        runs = []

        async def test_first_time_only():
            runs.append(1)
            if len(runs) == 1:
                asyncio.create_task(forever(), name="once")

        async def test_always():
            asyncio.create_task(forever(), name="always")

        @pytest.fixture
        def closing():
            yield

        again = []

        async def test_in_teardown(closing):
            again.append(1)
            if len(again) == 1:
                asyncio.create_task(forever(), name="once")
        """,
        "--reruns=1",
        process=True,
    )
    assert [r.outcome for r in done.of("test_first_time_only", "call")] == ["rerun", "passed"]
    assert [r.outcome for r in done.of("test_always", "call")] == ["rerun", "failed"]
    assert done.of("test_in_teardown", "teardown")[-1].outcome == "passed"
    assert done.failed() == [("test_always", "call")]


def test_subtests(suite: Suite) -> None:
    pytest.importorskip("_pytest.subtests")
    done = suite(
        """
        async def test_a(subtests):
            for i in range(3):
                with subtests.test(i=i):
                    asyncio.create_task(forever(), name=f"left-{i}")

        def test_failing(subtests):
            with subtests.test("bad"):
                assert 0
            threading.Thread(target=threading.Event().wait, name="left", daemon=True).start()
        """,
        process=True,
    )
    assert done.told()["test_a"] == ["TL101 left-0"]
    assert done.findings("test_a")[0]["count"] == 3
    assert ("test_a", "call") in done.failed() or ("test_a", "teardown") in done.failed()
    assert [f["name"] for f in done.findings("test_failing")] == ["left"]
    assert "INTERNALERROR" not in done.out


def test_parametrised_ids(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.parametrize("leak", [False, True], ids=["tidy", "a/b::c [x]"])
        async def test_a(leak):
            if leak:
                asyncio.create_task(forever(), name="left")
        """
    )
    (found,) = done.findings()
    assert found["owner"]["nodeid"] == "test_it.py::test_a[a/b::c [x]]"
    assert done.failed() == [("test_a[a/b::c [x]]", "call")]
    assert "test_it.py::test_a[a/b::c [x]]" in done.out


def test_pdb(suite: Suite) -> None:
    pexpect = pytest.importorskip("pexpect")
    suite.write(
        """
        async def test_a():
            asyncio.create_task(forever(), name="left")
        """
    )
    suite.run("--collect-only")
    child = suite.pytester.spawn_pytest("--taskleak --pdb -p no:randomly")
    child.expect("TL101")
    child.expect(r"\(Pdb\)")
    child.sendline("q")
    child.expect(pexpect.EOF)


def test_debugger_gets_the_leak(suite: Suite) -> None:
    suite.write(
        """
        async def test_a():
            asyncio.create_task(forever(), name="left")

        def test_b():
            pass
        """,
        suite_debugger="""
        class Debugger:
            def __init__(self, *args, **options):
                self.curframe = None
                self.quitting = False

            def reset(self):
                pass

            def interaction(self, frame, trace):
                print("debugger entered")
        """,
    )
    done = suite.run("--pdb", "--pdbcls=suite_debugger:Debugger", "-s")
    assert "debugger entered" in done.out
    assert "INTERNALERROR" not in done.out
    assert done.counts == "1 failed, 1 passed"


def test_junit_and_collect_only(suite: Suite) -> None:
    suite.write(
        """
        async def test_a():
            asyncio.create_task(forever(), name="left")
        """
    )
    done = suite.run("--junitxml=out.xml")
    xml = (suite.pytester.path / "out.xml").read_text()
    assert '<failure message="' in xml
    assert "1 task outlived the test" in xml
    assert 'failures="1"' in xml
    done = suite.run("--collect-only")
    assert done.ret == pytest.ExitCode.OK
    assert "taskleak summary" not in done.out


def test_setup_show_and_setup_only(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture
        def value():
            yield 1

        def test_a(value):
            pass
        """,
        "--setup-only",
    )
    assert done.ret == pytest.ExitCode.OK


def test_grouped_by_birth_site(suite: Suite) -> None:
    done = suite(
        """
        async def test_a():
            for i in range(40):
                asyncio.create_task(forever(), name=f"left-{i}")
            asyncio.get_running_loop().call_later(60, print)
        """
    )
    (report,) = [r for r in done.reports if r.findings]
    assert [(f["code"], f["count"]) for f in report.findings] == [("TL101", 40), ("TL201", 1)]
    assert "40 tasks and 1 timer outlived the test [TL101, TL201]" in report.text


def test_reports_carry_builtins_only(suite: Suite) -> None:
    done = suite(
        """
        async def test_a():
            asyncio.create_task(forever(), name="left")

        def test_b():
            pass
        """
    )
    report = done.one("test_a", "call")
    assert report.taskleak is not None
    assert set(report.taskleak) >= {"schema", "findings", "allowed", "notes"}
    assert report.taskleak["schema"] == 1
    (found,) = report.findings
    assert found.keys() >= {
        *("code", "kind", "name", "what", "module", "owner", "born", "waiting", "waits_for", "library"),
        *("severity", "rule", "fingerprint", "advice", "allow", "headline"),
    }
    assert found["owner"] == {
        "kind": "test",
        "name": "test_a",
        "scope": "function",
        "nodeid": "test_it.py::test_a",
    }
    assert (found["what"], found["module"]) == ("forever", "test_it")
    assert found["born"][0]["qualname"] == "test_a"
    assert all(r.taskleak is None for r in done.of("test_b"))
