"""Watch `pytest --taskleak` tell why four tasks are left, from a checkout, with nothing but `python3`.

Three tests of this folder pass and leave tasks: two that lock each other out, one that waits for more
work, one that has lost a race.  Exit status 0 means that the plugin told the three apart.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMAND = ("pytest", "--taskleak", "--no-header")
EXPECTED = ("TL101", "deadlock", "(proven)", "in 60 s", "3 failed")


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
