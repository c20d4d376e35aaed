"""Watch the same service lose nine things, five things and none, with nothing but `python3`.

It makes its tasks with bare `create_task`, then with helpers, then in a group that is drained; the tests are
the same.  Exit status 0 means that they told the three apart.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMAND = ("pytest", "--taskleak", "-v", "--tb=no", "-rN", "--no-header")
EXPECTED = ("tasks_have_names[bare] FAILED", "stop_leaves_no_timer[helped] LEAKED", "14 failed, 13 passed")


def demo(python, environ=os.environ, color="no"):
    """Run the tests of this folder with that Python; return what pytest printed."""
    done = subprocess.run(
        [python, "-P", "-m", *COMMAND, f"--color={color}", "-p", "no:cacheprovider"],
        cwd=HERE,
        env={"COLUMNS": "80", **environ, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


def main():
    sys.path.insert(0, str(HERE.parent.parent / ".ci"))
    from environment import environment

    color = "yes" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else "no"
    output = demo(environment("demo"), color=color)
    print("$", *COMMAND)
    print(output, end="")
    return 0 if all(word in output for word in EXPECTED) else 1


if __name__ == "__main__":
    sys.exit(main())
