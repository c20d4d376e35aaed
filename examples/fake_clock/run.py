"""Watch hours pass in milliseconds, and a test that would wait for ever end, with nothing but `python3`.

Four tests of this folder live through an hour and more of virtual time; the fifth waits for what nobody
does. Exit status 0 means that the clock told them apart.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMAND = ("pytest", "--tb=short", "--no-header")
EXPECTED = ("DeadlockError: nothing can run", "asyncio.Event.wait() `self._sent`", "1 failed, 4 passed")


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
