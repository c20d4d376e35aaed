"""How much is told at which verbosity, in which colours, and on which width?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

TESTS = """
    async def start():
        return asyncio.create_task(forever(), name="left")

    async def test_a():
        await start()

    async def test_b():
        await start()

    @pytest.mark.taskleak(allow="timer:*")
    async def test_allowed():
        asyncio.get_running_loop().call_later(60, print)
"""


def test_header(suite: Suite) -> None:
    suite.write(TESTS)
    done = suite.run("--taskleak-grace=0.25", "--taskleak-detect=task,timer,thread,executor")
    assert "taskleak: fail; watching tasks, timers, threads, executors; grace 0.25 s" in done.out
    assert "taskleak:" not in suite.run(taskleak=False, process=True).out
    assert "taskleak: fail" not in suite.run("-q").out


@pytest.mark.parametrize(
    ("flag", "told", "not_told"),
    [
        ("-qq", [], ["taskleak summary", "taskleak: 2 leaks"]),
        ("-q", ["taskleak: 2 leaks in 2 tests"], ["taskleak summary", "TL101  2 tasks"]),
        (
            "-v0",
            [
                "taskleak summary",
                "TL101  2 tasks",
                "in 2 tests, e.g. test_it.py::test_a",
                "taskleak: 2 leaks in 2 tests",
            ],
            ["base_events", "allowed  TL201"],
        ),
        ("-v", ["test_a LEAKED", "taskleak summary"], []),
        ("-vv", ["test_a LEAKED", "Event.wait"], []),
    ],
)
def test_verbosity(suite: Suite, flag: str, told: list[str], not_told: list[str]) -> None:
    args = [] if flag == "-v0" else [flag]
    done = suite(TESTS, *args)
    for text in told:
        assert text in done.out
    for text in not_told:
        assert text not in done.out


def test_own_verbosity(suite: Suite) -> None:
    suite.ini["verbosity_taskleak"] = "-1"
    done = suite(TESTS, "-vv")
    assert "test_a LEAKED" in done.out
    assert "taskleak summary" not in done.out
    assert "taskleak: 2 leaks in 2 tests" in done.out
    suite.ini["verbosity_taskleak"] = "2"
    done = suite(TESTS)
    assert "taskleak summary" in done.out
    assert "locks.py" in done.out


def test_a_leak_takes_few_lines(suite: Suite) -> None:
    done = suite(
        """
        async def a():
            await b()

        async def b():
            await c()

        async def c():
            await d()

        async def d():
            await forever()

        def one():
            two()

        def two():
            three()

        def three():
            asyncio.create_task(a(), name="deep")

        async def test_deep():
            one()
            await asyncio.sleep(0)
        """
    )
    text = done.one("test_deep", "call").text.split("\n\n")[1]
    assert len(text.splitlines()) <= 12, text
    assert "test_it.py" in text
    assert "_pytest" not in text
    assert "asyncio/" not in text


def test_many_findings_are_cut(suite: Suite) -> None:
    lines = "\n".join(f"        asyncio.create_task(forever(), name='left-{i}')" for i in range(9))
    suite.pytester.makepyfile(
        test_it=f"import asyncio\n\nasync def forever():\n    await asyncio.sleep(3600)\n\nasync def test_a():\n    if True:\n{lines}\n"
    )
    short = suite.run().one("test_a", "call").text
    assert "9 tasks outlived the test [TL101]" in short
    assert "... and 4 more" in short
    assert "-v shows all" in short
    assert "left-8" not in short
    assert "left-8" in suite.run("-v").one("test_a", "call").text


@pytest.mark.parametrize(("env", "colour"), [({"NO_COLOR": "1"}, False), ({"FORCE_COLOR": "1"}, True)])
def test_colours(suite: Suite, env: dict[str, str], colour: bool) -> None:
    done = suite(TESTS, env=env)
    assert ("\x1b[" in done.out) is colour
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.out)
    assert "taskleak: 2 leaks in 2 tests" in plain
    assert "LEAKED test_it.py::test_a" in plain


def test_narrow_terminal(suite: Suite) -> None:
    (suite.pytester.mkdir("a_rather_long_folder_name_for_tests") / "test_with_a_long_name.py").write_text(
        "import asyncio\n\nasync def forever():\n    await asyncio.sleep(3600)\n\n"
        "async def test_with_an_equally_long_name():\n    asyncio.create_task(forever(), name='left')\n"
    )
    place = "a_rather_long_folder_name_for_tests/test_with_a_long_name.py:7"
    suite.pytester.makepyfile(suite_width="import os\nos.environ['COLUMNS'] = '60'\n")
    done = suite.run("-p", "suite_width", process=True)
    assert place in done.out.partition("taskleak summary")[0]
    assert place in done.out.partition("taskleak summary")[2]


def test_ascii_only(suite: Suite) -> None:
    done = suite(TESTS, "-vv")
    assert done.out.isascii()


def test_windows_code_page(suite: Suite) -> None:
    suite.pytester.makepyfile(
        test_it="import asyncio\n\nasync def größe():\n    await asyncio.sleep(3600)\n\n"
        "async def test_a():\n    asyncio.create_task(größe(), name='日本 \\u2014')\n"
    )
    done = suite.run(env={"PYTHONIOENCODING": "ascii"}, process=True)
    assert "INTERNALERROR" not in done.out
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert done.findings()[0]["name"] == "日本 —"


def test_odd_names(suite: Suite) -> None:
    done = suite(
        """
        async def test_newline():
            asyncio.create_task(forever(), name="two\\nlines [red]%s {x} \\x1b[31m")
        """
    )
    headline = done.one("test_newline", "call").text.splitlines()[0]
    assert headline.endswith("[TL101]")
    assert "\x1b" not in done.out
    summary = done.out.partition("taskleak summary")[2]
    assert "\nlines" not in summary


def test_no_addresses_and_no_measured_times(suite: Suite) -> None:
    done = suite(
        """
        import functools

        class Job:
            def __call__(self):
                pass

            def tick(self):
                pass

        async def test_a():
            loop = asyncio.get_running_loop()
            loop.call_later(60, Job())
            loop.call_later(60, Job().tick)
            loop.call_later(60, functools.partial(print, 1))
            loop.call_later(60, lambda: None)
            asyncio.create_task(forever())
        """
    )
    text = "\n".join(r.text for r in done.reports)
    assert "0x" not in text
    assert not re.search(r"due in \d+\.\d{2,}", text)
    assert {f["what"] for f in done.findings()} >= {
        "Job",
        "Job.tick",
        "print",
        "test_a.<locals>.<lambda>",
        "forever",
    }


def test_allowed_are_shown_on_demand(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.taskleak(allow="timer:*", reason="by design")
        async def test_a():
            asyncio.get_running_loop().call_later(60, print)
            asyncio.create_task(forever(), name="left")
        """,
        "-v",
    )
    text = done.one("test_a", "call").text
    assert "allowed  TL201" in text
    assert "because by design" in text


def test_the_line_that_would_allow_it_does(suite: Suite) -> None:
    tests = """
        from concurrent.futures import ThreadPoolExecutor

        class Poller:
            async def run(self):
                await forever()

            def tick(self):
                pass

        {mark}
        async def test_a():
            asyncio.create_task(Poller().run(), name="poller")
            asyncio.get_running_loop().call_later(60, Poller().tick)
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            asyncio.create_task([x async for x in ()] if 0 else forever())
    """
    done = suite(tests.format(mark=""), process=True)
    lines = [f["allow"] for f in done.findings()]
    assert len(lines) == 4
    for line in lines:
        assert f'@pytest.mark.taskleak(allow="{line}")' in done.out
    done = suite(tests.format(mark=f"@pytest.mark.taskleak(allow={lines!r})"), process=True)
    assert done.ret == pytest.ExitCode.OK, done.out


def test_library_is_named(suite: Suite) -> None:
    package = suite.pytester.mkdir("site-packages")
    (package / "pooling.py").write_text(
        "import asyncio\n\nGATES = []\n\nasync def serve():\n    gate = asyncio.Event()\n    GATES.append(gate)\n    await gate.wait()\n\n\n"
        "async def start():\n    asyncio.create_task(serve(), name='served')\n"
    )
    done = suite(
        """
        import pooling

        async def test_a():
            await pooling.start()
        """,
        process=True,
        env={"PYTHONPATH": f"{suite.pytester.path}:{package}"},
    )
    (found,) = done.findings()
    assert found["library"] is None
    assert "born      pooling.py:12  start\n            called from test_it.py:" in done.out
