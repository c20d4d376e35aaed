"""Watch a service be stopped at every moment, and one of those moments again, with nothing but `python3`.

It is there as it was written first, and mended; the tests are the same.  Exit status 0 means that they told
the two apart.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ALL = ("pytest", "-v", "--tb=no", "-rN", "--no-header")
MOMENT = "--taskleak-replay=stop@worker@Outbox._work+5~1"
ONE = ("pytest", "-q", "-rN", "--no-header", "test_outbox.py::test_no_mail_is_lost[hasty]", MOMENT)
EXPECTED = (
    "at_any_moment[hasty] FAILED",
    "at_any_moment[mended] PASSED",
    "4 failed, 8 passed",
    "L accepted work lost: item 'mail 1' was accepted and is lost",
)


def demo(python, environ=os.environ, color="no"):
    """Run the tests of this folder with that Python, then one moment of one; return what was printed."""
    return "\n".join(output(python, command, environ, color) for command in (ALL, ONE))


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
    return f"$ {' '.join(command)}\n{done.stdout}"


def main():
    sys.path.insert(0, str(HERE.parent.parent / ".ci"))
    from environment import environment

    color = "yes" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else "no"
    found = demo(environment("demo"), color=color)
    print(found, end="")
    return 0 if all(word in found for word in EXPECTED) else 1


if __name__ == "__main__":
    sys.exit(main())
