"""How is it told that something was lost, to whom, and what stays as it was without the plugin?"""

from __future__ import annotations

import asyncio
import re
import threading
import warnings
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Done, Suite

LOST = """
    import gc

    KEPT = []

    async def boom():
        raise ValueError("boom")  # at:boom

    async def work():  # at:work
        await asyncio.sleep(0)

    async def turns():
        for _ in range(4):
            await asyncio.sleep(0)

    def stumble():
        raise ValueError("boom")  # at:stumble
"""


def said(suite: Suite, done: Done, name: str) -> str:
    """Return the findings as the report of a test tells them, with marks instead of lines."""
    (report,) = [r for r in done.of(name) if r.findings]
    told = report.text if report.outcome == "failed" else report.section
    for number, line in enumerate((suite.pytester.path / "test_it.py").read_text().splitlines(), 1):
        if "# at:" in line:
            told = told.replace(f"test_it.py:{number} ", f"test_it.py:{line.rpartition('# at:')[2]} ")
    return told.strip()


def warned(suite: Suite, *args: str, taskleak: bool, tests: str) -> tuple[list[str], Done]:
    """Return where pytest places each warning, and the run."""
    collector = """
        def pytest_warning_recorded(warning_message, nodeid):
            with open("warned.txt", "a") as file:
                place = f"{warning_message.filename}:{warning_message.lineno}"
                print(place, warning_message.category.__name__, nodeid, file=file)
    """
    place = suite.pytester.path / "warned.txt"
    place.unlink(missing_ok=True)
    suite.write(tests, conftest=collector)
    done = suite.run("-p", "no:randomly", *args, taskleak=taskleak, process=True)
    return (place.read_text().splitlines() if place.exists() else []), done


# --- the text ---------------------------------------------------------------------------------------


def test_task(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    async def test_a():
        KEPT.append(asyncio.create_task(boom(), name="fetch"))  # at:born
        await turns()
    """
    )
    assert said(suite, done, "test_a") == (
        "1 lost exception left behind by the test: 'ValueError: boom' [TL701]\n"
        "\n"
        "TL701  lost exception 'ValueError: boom' (boom) was never retrieved\n"
        "  owner     test test_it.py::test_a\n"
        "  born      test_it.py:born  test_a\n"
        "  raised    test_it.py:boom  boom\n"
        "  of        task 'fetch'\n"
        "  fix       await the task, or read its exception() in a done callback\n"
        '  allow     @pytest.mark.taskleak(allow="exception:test_it:boom")'
    )


def test_callback(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    async def test_a():
        asyncio.get_running_loop().call_soon(stumble)
        await turns()
    """
    )
    assert said(suite, done, "test_a") == (
        "1 lost exception left behind by the test: 'ValueError: boom' [TL702]\n"
        "\n"
        "TL702  lost exception 'ValueError: boom' (stumble) was only logged by the loop\n"
        "  owner     test test_it.py::test_a\n"
        "  raised    test_it.py:stumble  stumble\n"
        "  fix       catch the exception in the callback, or let it end a task that is awaited\n"
        '  allow     @pytest.mark.taskleak(allow="exception:test_it:stumble")'
    )


def test_thread(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    def test_a():
        thread = threading.Thread(target=stumble, name="poller")
        thread.start()  # at:born
        thread.join()
    """,
        process=True,
    )
    assert said(suite, done, "test_a") == (
        "1 lost exception left behind by the test: 'ValueError: boom' [TL703]\n"
        "\n"
        "TL703  lost exception 'ValueError: boom' (stumble) ended its thread, and was only printed\n"
        "  owner     test test_it.py::test_a\n"
        "  born      test_it.py:born  test_a\n"
        "  raised    test_it.py:stumble  stumble\n"
        "  of        thread 'poller'\n"
        "  fix       catch the exception in the thread and hand it on, as the futures of an executor do\n"
        '  allow     @pytest.mark.taskleak(allow="exception:test_it:stumble")'
    )


def test_complaint(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    class Client:
        def __del__(self):
            asyncio.get_event_loop().call_exception_handler({"message": "Unclosed client", "client": self})

    async def test_a():
        client = Client()  # at:born
        del client
    """
    )
    assert said(suite, done, "test_a") == (
        "1 complaint left behind by the test: 'Unclosed client' [TL704]\n"
        "\n"
        "TL704  complaint 'Unclosed client' (Client) was told to the loop, which only logged it\n"
        "  owner     test test_it.py::test_a\n"
        "  born      test_it.py:20  test_a\n"
        "  fix       close what the message names\n"
        '  allow     @pytest.mark.taskleak(allow="exception:test_it:Client")'
    ).replace(":20 ", f":{line_of(suite, 'del client')} ")


def test_coroutine(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    def test_a():
        work()  # at:born
    """
    )
    assert said(suite, done, "test_a") == (
        "1 coroutine left behind by the test: 'work' [TL711]\n"
        "\n"
        "TL711  coroutine 'work' was never awaited\n"
        "  owner     test test_it.py::test_a\n"
        "  born      test_it.py:born  test_a\n"
        "  defined   test_it.py:work  work\n"
        "  fix       await it where it is called, or close() it\n"
        '  allow     @pytest.mark.taskleak(allow="coroutine:test_it:work")'
    )


def test_destroyed_task(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    async def lonely():
        await asyncio.get_running_loop().create_future()

    async def test_a():
        asyncio.create_task(lonely(), name="lonely")  # at:born
        await asyncio.sleep(0)
        gc.collect()
    """
    )
    assert said(suite, done, "test_a") == (
        "1 task left behind by the test: 'lonely' [TL105]\n"
        "\n"
        "TL105  task 'lonely' was destroyed while it was pending: nobody kept it\n"
        "  owner     test test_it.py::test_a\n"
        "  born      test_it.py:born  test_a\n"
        "  waiting   -> a Future\n"
        "  fix       keep a reference to the task until it has ended; asyncio itself keeps none\n"
        '  allow     @pytest.mark.taskleak(allow="task:test_it:lonely")'
    )


def line_of(suite: Suite, code: str) -> int:
    """Return the line of the suite that holds some code."""
    lines = (suite.pytester.path / "test_it.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if code in line)


# --- rules, severities and modes --------------------------------------------------------------------

BOTH = (
    LOST
    + """
    MARK
    async def test_task():
        asyncio.create_task(boom())
        await turns()

    MARK
    async def test_coroutine():
        work()
"""
)


@pytest.mark.parametrize(
    ("mark", "counts"),
    [
        ("allow=['exception:boom', 'coroutine:work']", "2 passed"),
        ("allow=['TL701', 'TL711']", "2 passed"),
        ("allow=['TL701', 'TL105']", "1 failed, 1 passed"),
        ("detect=['task']", "2 passed"),
        ("detect=['-coroutine']", "1 failed, 1 passed"),
        ("mode='off'", "2 passed"),
        ("expect='*:*'", "2 passed"),
        ("expect='exception:*'", "1 failed, 1 passed"),
    ],
)
def test_marker(suite: Suite, mark: str, counts: str) -> None:
    done = suite(BOTH.replace("MARK", f"@pytest.mark.taskleak({mark})"), "-W", "ignore::RuntimeWarning:x")
    assert re.sub(r", \d+ warnings?", "", done.counts) == counts


def test_no_taskleak(suite: Suite) -> None:
    done = suite(BOTH.replace("MARK", "@pytest.mark.no_taskleak(reason='on purpose')"))
    assert done.counts == "2 passed, 1 warning"
    assert done.findings() == []


@pytest.mark.parametrize(
    ("severity", "levels"),
    [
        ("exception=warn", {"TL701": "warn", "TL711": "fail"}),
        ("TL711=note", {"TL701": "fail", "TL711": "note"}),
        ("coroutine=ignore", {"TL701": "fail"}),
    ],
)
def test_severity(suite: Suite, severity: str, levels: dict[str, str]) -> None:
    suite.ini["taskleak_severity"] = severity
    done = suite(BOTH.replace("MARK", ""))
    assert {f["code"]: f["severity"] for f in done.findings()} == levels
    assert len(done.failed()) == [*levels.values()].count("fail")


def test_warn_mode(suite: Suite) -> None:
    done = suite(BOTH.replace("MARK", ""), "--taskleak-mode=warn")
    assert done.counts == "2 passed, 3 warnings"
    assert [f["severity"] for f in done.findings()] == ["warn", "warn"]
    assert "TaskleakWarning: 1 coroutine left behind" in done.out


# --- who is charged ---------------------------------------------------------------------------------

LATER = (
    LOST
    + """
    pytestmark = pytest.mark.asyncio(loop_scope="session")

    async def lonely():
        await asyncio.get_running_loop().create_future()

    def circle(thing):
        ring = [thing]
        ring.append(ring)

    async def test_loses():
        circle(asyncio.create_task(boom()))
        circle(asyncio.Task(boom(), loop=asyncio.get_running_loop()))
        await turns()

    async def test_forgets():
        circle(work())

    async def test_innocent():
        await turns()

    async def test_collects():
        await work()
        with pytest.raises(ValueError):
            await boom()
        gc.collect()

    def test_collects_too():
        gc.collect()
"""
)
MADE = {"test_loses": ["TL701 ValueError: boom", "TL701 ValueError: boom"]}


def charged(done: Done) -> dict[str, list[str]]:
    """Return test -> what it is charged with, however often it was told."""
    return {name: told for name, told in done.told().items() if told}


def test_collector_in_a_later_test(suite: Suite) -> None:
    done = suite(LATER, "-p", "no:randomly")
    assert charged(done) == MADE
    assert {name for name, _ in done.failed()} == {"test_loses"}
    assert done.out.count("coroutine 'work' was never awaited, defined at test_it.py:") == 1


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_random_order(suite: Suite, seed: str) -> None:
    suite.plugins.append("randomly")
    done = suite(LATER, f"--randomly-seed={seed}", "-p", "no:cacheprovider")
    assert charged(done) == MADE
    assert {name for name, _ in done.failed()} == {"test_loses"}


@pytest.mark.parametrize("distribution", ["loadfile", "load"])
def test_under_xdist(suite: Suite, distribution: str) -> None:
    suite.plugins.append("xdist")
    suite.write(LATER, test_other="def test_a(): pass\ndef test_b(): pass\n")
    done = suite.run("-n2", f"--dist={distribution}", process=True)
    assert charged(done) == MADE
    assert {name for name, _ in done.failed()} == {"test_loses"}


def test_in_the_very_last_test(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    def test_before():
        pass

    async def test_last():
        ring = [asyncio.Task(boom(), loop=asyncio.get_running_loop())]
        ring.append(ring)
        await turns()
    """,
        "-p",
        "no:randomly",
    )
    assert charged(done) == {"test_last": ["TL701 ValueError: boom"]}
    assert done.failed() == [("test_last", "teardown")]
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_thread_that_fails_after_its_test(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    GO = threading.Event()

    def late():
        GO.wait()
        stumble()

    @pytest.mark.taskleak(allow="thread:*")
    def test_starts():
        KEPT.append(threading.Thread(target=late))
        KEPT[0].start()

    def test_innocent():
        GO.set()
        KEPT[0].join()
    """,
        process=True,
    )
    assert charged(done) == {"test_starts": ["TL703 ValueError: boom"]}


def test_failing_test_keeps_its_own_failure(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    async def test_a():
        asyncio.create_task(boom())
        work()
        await turns()
        raise KeyError("mine")
    """
    )
    report = done.one("test_a", "call")
    assert "KeyError: 'mine'" in report.text
    assert "TL701" in report.section
    assert "TL711" in report.section
    assert done.counts == "1 failed, 1 warning"


def test_a_block_catches_it(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    import pytest_taskleak

    def test_a():
        with pytest.raises(pytest_taskleak.LeakGroup) as caught:
            with pytest_taskleak.no_leaks():
                asyncio.run(main())
                work()
        codes = [error.finding.code for error in caught.value.exceptions]
        assert codes == ["TL701", "TL711"]

    async def main():
        asyncio.create_task(boom())
        await turns()

    def test_b():
        pass
    """
    )
    assert done.counts == "2 passed, 1 warning"
    assert done.findings() == []


def test_an_asynchronous_block_catches_it(suite: Suite) -> None:
    done = suite(
        LOST
        + """
    import pytest_taskleak

    async def test_a():
        with pytest.raises(pytest_taskleak.LeakGroup) as caught:
            async with pytest_taskleak.no_leaks():
                asyncio.create_task(boom())
                work()
                await turns()
        codes = [error.finding.code for error in caught.value.exceptions]
        assert sorted(codes) == ["TL701", "TL711"]
    """
    )
    assert done.counts == "1 passed, 1 warning"
    assert done.findings() == []


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n1")], ids=["plain", "worker"])
def test_coroutine_found_at_the_end(suite: Suite, workers: tuple[str, ...]) -> None:
    suite.write(
        LOST
        + """
    def test_a():
        ring = [work()]
        ring.append(ring)

    def test_b():
        pass
    """
    )
    done = suite.run(*workers, process=True)
    assert done.findings() == []
    assert done.ret == 0
    assert done.out.count("TL711  coroutine 'work' was never awaited, defined at test_it.py:") == 1


# --- what stays as it was ---------------------------------------------------------------------------

WARNING = (
    LOST
    + """
    class TestCase:
        def test_method(self):
            self.helper()

        def helper(self):
            work()

    def test_statement():
        work()

    def test_local():
        job = work()

    async def test_async():
        work()

    def test_collected():
        ring = [work()]
        ring.append(ring)
        del ring
        gc.collect()
"""
)


def test_place_of_the_warning(suite: Suite) -> None:
    without, _ = warned(suite, taskleak=False, tests=WARNING)
    with_it, done = warned(suite, taskleak=True, tests=WARNING)
    assert len(without) == 5
    assert with_it == without
    assert {name for name, _ in done.failed()} == {
        "TestCase::test_method",
        "test_statement",
        "test_local",
        "test_async",
    }


@pytest.mark.parametrize(
    ("option", "failing"),
    [
        ("error", True),
        ("error::RuntimeWarning:test_it", True),
        ("ignore::RuntimeWarning:test_it", False),
        ("ignore:coroutine 'work' was never awaited:RuntimeWarning", False),
        ("ignore::RuntimeWarning:other", True),
    ],
)
def test_filters(suite: Suite, option: str, failing: bool) -> None:
    tests = (
        LOST
        + """
    def test_forgets():
        work()

    def test_innocent():
        pass
    """
    )
    before, plain = warned(suite, "-W", option, taskleak=False, tests=tests)
    after, done = warned(suite, "-W", option, taskleak=True, tests=tests)
    assert after == before
    assert {name for name, _ in plain.failed()} <= {"test_forgets"}
    assert {name for name, _ in done.failed()} == ({"test_forgets"} if failing else set())
    assert "INTERNALERROR" not in done.out + done.err


def test_warnings_as_errors(suite: Suite) -> None:
    done = suite(LATER, "-W", "error", "-p", "no:randomly", process=True)
    assert charged(done) == MADE
    # pytest itself makes an error of the warning in whichever test the collector runs: that is not ours.
    assert "INTERNALERROR" not in done.out + done.err


@pytest.mark.parametrize("off", ["warnings", "threadexception", "unraisableexception", "logging"])
def test_without_a_plugin_of_pytest(suite: Suite, off: str) -> None:
    tests = BOTH.replace("MARK", "") + (
        """
    def test_thread():
        thread = threading.Thread(target=stumble)
        thread.start()
        thread.join()
    """
    )
    done = suite(tests, "-p", f"no:{off}", process=True)
    assert done.told() == {
        "test_task": ["TL701 ValueError: boom"],
        "test_coroutine": ["TL711 work"],
        "test_thread": ["TL703 ValueError: boom"],
    }


def test_odd_contexts_of_the_handler(suite: Suite) -> None:
    done = suite(
        """
    from unittest.mock import MagicMock, Mock

    ASKED = []

    class Odd:
        def __getattr__(self, name):
            ASKED.append(name)
            raise RuntimeError

        def __str__(self):
            ASKED.append("str")
            raise RuntimeError

        def __bool__(self):
            ASKED.append("bool")
            raise RuntimeError

    async def test_a():
        loop = asyncio.get_running_loop()
        for thing in (Mock(), MagicMock(), Odd(), None, 1, ""):
            for key in ("transport", "protocol", "future", "task", "handle", "asyncgen", "other"):
                loop.call_exception_handler({"message": "odd", key: thing, "exception": ValueError("odd")})
                loop.call_exception_handler({"message": "odd", key: thing})
                loop.call_exception_handler({key: thing})
        assert ASKED == []

    async def test_b():
        asyncio.get_running_loop().call_exception_handler({"message": Odd()})
        assert ASKED == ["bool"]  # by asyncio itself
    """,
        "-p",
        "no:logging",
    )
    assert "INTERNALERROR" not in done.out
    assert "TL901" not in done.out
    assert {f["code"] for f in done.findings("test_a")} == {"TL704", "TL705"}
    assert {f["code"] for f in done.findings("test_b")} == {"TL704"}
    assert "AssertionError" not in done.out


def test_message_is_not_asked_of_the_user(suite: Suite) -> None:
    done = suite(
        """
    ASKED = []

    class Shy(Exception):
        def __str__(self):
            ASKED.append("str")
            return "asked"

    class Argument:
        def __repr__(self):
            ASKED.append("repr")
            return "asked"

        __str__ = __repr__

    async def raises(error):
        raise error

    KEPT = []

    async def test_a():
        KEPT.append(asyncio.create_task(raises(Shy("x"))))
        KEPT.append(asyncio.create_task(raises(ValueError(Argument()))))
        await asyncio.sleep(0)

    def test_b():
        assert ASKED == []
    """,
        "-p",
        "no:randomly",
    )
    assert done.told() == {"test_a": ["TL701 Shy", "TL701 ValueError"]}
    assert [name for name, _ in done.failed()] == ["test_a"]


# --- at the end -------------------------------------------------------------------------------------


def test_at_the_exit_of_the_interpreter(suite: Suite) -> None:
    suite.write(
        LOST
        + """
    def test_a():
        KEPT.append(work())
    """
    )
    plain = suite.run(taskleak=False, process=True)
    done = suite.run(process=True)
    assert done.ret == plain.ret == 0
    assert "Traceback" not in done.err
    assert (done.out + done.err).count("was never awaited") == (plain.out + plain.err).count(
        "was never awaited"
    )


PROBE = """
    import asyncio, atexit, threading, warnings

    PLACES = [
        (threading, "excepthook"),
        (warnings, "_warn_unawaited_coroutine"),
        (asyncio.BaseEventLoop, "call_exception_handler"),
    ]
    BEFORE = [vars(place)[name] for place, name in PLACES]

    def changed():
        return [name for (place, name), before in zip(PLACES, BEFORE) if vars(place)[name] is not before]

    atexit.register(lambda: print("changed at exit:", changed()))
"""


def test_everything_is_put_back(suite: Suite) -> None:
    suite.write(
        BOTH.replace("MARK", "")
        + """
    def test_patched():
        import suite_probe
        assert sorted(suite_probe.changed()) == [
            "_warn_unawaited_coroutine", "call_exception_handler", "excepthook"
        ]
    """,
        suite_probe=PROBE,
    )
    done = suite.run("-p", "suite_probe", process=True)
    assert done.counts == "2 failed, 1 passed, 1 warning"
    assert "changed at exit: []" in done.out


def test_put_back_in_process(suite: Suite) -> None:
    def places() -> tuple[object, ...]:
        return (
            threading.excepthook,
            vars(warnings)["_warn_unawaited_coroutine"],
            vars(asyncio.BaseEventLoop)["call_exception_handler"],
        )

    before = places()
    done = suite(BOTH.replace("MARK", ""))
    assert len(done.failed()) == 2
    assert places() == before
