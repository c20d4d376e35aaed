"""Watch an ASGI app be stopped at every moment, without a server and without a socket.

It is there as it was written first, and mended; the tests are the same.  Exit status 0 means that they told
the two apart.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMAND = ("pytest", "-v", "--tb=no", "-rN", "--no-header")
EXPECTED = ("is_lost[hasty] FAILED", "is_lost[mended] PASSED", "2 failed, 2 passed")


def demo(python, environ=os.environ, color="no"):
    """Run the tests of this folder with that Python; return what was printed."""
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
    found = demo(environment("demo"), color=color)
    print("$", *COMMAND)
    print(found, end="")
    return 0 if all(word in found for word in EXPECTED) else 1


if __name__ == "__main__":
    sys.exit(main())
