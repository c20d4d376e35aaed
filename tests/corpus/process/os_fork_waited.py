# expect: clean
# why: forks, pseudo-terminals and spawned programs, all waited for
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import os
import pty


def test_fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3


def test_terminal() -> None:
    pid, fd = pty.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(fd)


def test_spawn() -> None:
    pid = os.posix_spawnp("true", ["true"], os.environ)
    os.waitpid(pid, 0)
    assert os.spawnlp(os.P_WAIT, "true", "true") == 0


def test_neighbour() -> None:
    pass
