"""Watch twenty bugs be found, one of them told, and its moment run again, with nothing but `python3`.

Exit status 0 means that each was found, and nothing in the service without one.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ALL = ("pytest", "-q", "-rp", "--no-header")
ONE = ("pytest", "-q", "-rN", "--no-header", "test_bugs.py::test_bug[start-leaks]")
MOMENT = "--taskleak-replay=cancel,items=0@root@Pool.open+3~1"
EXPECTED = (
    "PASSED test_found.py::test_the_service_is_right",
    "PASSED test_found.py::test_a_bug_is_found[lost-wakeup]",
    "21 passed",
    "FAIL  R left open",
    f'replay: pytest "test_bugs.py::test_bug[start-leaks]" {MOMENT}',
    "shutdown storm Service, one moment: 1 cause; deterministic",
)


def demo(python, environ=os.environ, color="no"):
    """Run the tests with that Python, then one bug, then its moment; return what was printed."""
    return "\n".join(output(python, command, environ, color) for command in (ALL, ONE, (*ONE, MOMENT)))


def output(python, command, environ, color):
    """Return a command and what it has printed."""
    done = subprocess.run(
        [python, "-P", "-m", *command, f"--color={color}", "-p", "no:cacheprovider"],
        cwd=HERE,
        env={"COLUMNS": "80", **environ, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    typed = (f'"{word}"' if "[" in word else word for word in command)
    return f"$ {' '.join(typed)}\n{done.stdout}"


def main():
    sys.path.insert(0, str(HERE.parent.parent / ".ci"))
    from environment import environment

    color = "yes" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else "no"
    found = demo(environment("demo"), color=color)
    print(found, end="")
    return 0 if all(word in found for word in EXPECTED) else 1


if __name__ == "__main__":
    sys.exit(main())
