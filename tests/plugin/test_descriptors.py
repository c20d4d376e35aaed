"""What is told of files and pipes that a module leaves open?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are listed on POSIX only")

LEAVES = """
KEPT = []

def test_leaves(tmp_path):
    KEPT.append(open(tmp_path / "left.txt", "w"))

def test_after():
    pass
"""


def notes(out: str) -> list[str]:
    """Return the lines of notes."""
    return [line for line in out.splitlines() if line.startswith("taskleak: note:")]


def test_a_file_is_a_note_at_the_end(suite: Suite) -> None:
    suite.write(LEAVES)
    done = suite.run(process=True)
    assert done.counts == "2 passed"
    (line,) = notes(done.out)
    assert line.startswith("taskleak: note: TL531  open file '")
    assert line.endswith("left.txt' (left.txt) is still open after module test_it.py ended")
    assert done.findings() == []


def test_it_fails_the_last_test_of_the_module_where_that_is_wanted(suite: Suite) -> None:
    suite.write(LEAVES, test_next="def test_next():\n    pass\n")
    done = suite.run("--taskleak-severity=fd=fail", process=True)
    ((name, told),) = done.told().items()
    assert name == "test_after"
    assert len(told) == 1
    assert told[0].startswith("TL531 ")
    assert done.failed() == [("test_after", "teardown")]
    late = done.of("test_after", "teardown")[-1]  # sent when the module was over
    assert "owner     module test_it.py" in late.text
    assert "taskleak_allow = [" in late.text
    assert "born" not in late.text


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("closed", "open(tmp_path / 'f', 'w').close()"),
        ("in_a_cycle", "cycle = [open(tmp_path / 'f', 'w')]; cycle.append(cycle)"),
        ("a_socket", "import socket; KEPT.append(socket.socket())"),
        ("a_loop", "KEPT.append(asyncio.new_event_loop())"),
        ("one_for_another", "import os; os.close(KEPT.pop()); KEPT.append(os.open('.', os.O_RDONLY))"),
    ],
)
def test_what_is_no_growth_of_files(suite: Suite, what: str, body: str) -> None:
    suite.write(
        f"""
        import os
        import warnings

        KEPT = [os.open(".", os.O_RDONLY)]

        @pytest.mark.filterwarnings("ignore::ResourceWarning")
        def test_{what}(tmp_path):
            {body}
        """
    )
    done = suite.run("--taskleak-detect=fd", process=True)
    assert done.counts == "1 passed"
    assert notes(done.out) == []


def test_a_file_of_a_session_fixture_is_looked_at_when_the_session_ends(suite: Suite) -> None:
    suite.write(
        conftest="""
        import pytest

        @pytest.fixture(scope="session")
        def log(tmp_path_factory):
            with open(tmp_path_factory.mktemp("logs") / "tidy.log", "w") as file:
                yield file

        @pytest.fixture(scope="session")
        def sloppy(tmp_path_factory):
            return open(tmp_path_factory.mktemp("logs") / "sloppy.log", "w")
        """,
        test_a="def test_a(log, sloppy):\n    pass\n",
        test_b="def test_b():\n    pass\n",
    )
    done = suite.run(process=True)
    assert done.counts == "2 passed"
    assert not any("tidy.log" in line for line in notes(done.out))


def test_pipes_are_named_once_and_the_rest_is_counted(suite: Suite) -> None:
    suite.write(
        """
        import os

        def test_leaves(tmp_path):
            for n in range(9):
                os.open(tmp_path / f"file{n}", os.O_CREAT | os.O_RDONLY)
            os.pipe()
        """
    )
    done = suite.run(process=True)
    assert len(notes(done.out)) == 6
    assert notes(done.out)[-1] == "taskleak: note: ... and 5 more; -v shows all"
    assert len(notes(suite.run("-v", process=True).out)) == 10


def test_allowed_by_a_rule(suite: Suite) -> None:
    suite.write(LEAVES)
    done = suite.run("--taskleak-allow=fd:*left.txt", process=True)
    assert notes(done.out) == []
    assert "matched nothing" not in done.out


def test_a_marker_asks_for_its_test_only(suite: Suite) -> None:
    marked = "import pytest\n\npytestmark = pytest.mark.taskleak\n"
    suite.write(marked + LEAVES)
    done = suite.run(taskleak=False, process=True)
    assert done.counts == "2 passed"
    assert notes(done.out) == []


def test_a_broken_measure_is_the_plugins_fault(suite: Suite) -> None:
    suite.write(
        LEAVES,
        conftest="""
        from pytest_taskleak.detectors import fds

        def broken():
            raise RuntimeError("no table")

        def pytest_runtest_call(item):
            fds.count = broken
        """,
    )
    done = suite.run(process=True)
    assert done.counts.startswith("2 passed, 1 warning")
    assert "TL901 the detector of fds raised" in done.out


def test_without_psutil_the_listing_has_to_do(suite: Suite) -> None:
    """The plugin requires psutil, but it may be installed without its requirements."""
    suite.write(
        LEAVES
        + """
def test_process():
    import subprocess
    import sys

    KEPT.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
""",
        conftest="import sys\n\nsys.modules['psutil'] = None\n",
    )
    done = suite.run(process=True)
    assert [name.partition(" ")[0] for name in done.told()["test_process"]] == ["TL401"]
    assert len(notes(done.out)) == 1
    assert "TL901" not in done.out


def test_a_measure_that_fails_at_once_fails_no_test(suite: Suite) -> None:
    suite.write(
        LEAVES,
        conftest="""
        from pytest_taskleak.detectors import fds

        def broken():
            raise RuntimeError("no table")

        fds.count = broken
        """,
    )
    done = suite.run(process=True)
    assert done.counts.startswith("2 passed, 1 warning")
    assert done.out.count("TL901 the detector of fds raised") == 1
