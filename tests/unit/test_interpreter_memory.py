"""Is a wait for the interpreter told from a wait for a lock of the program?"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_taskleak.adapt import cpu_time
from pytest_taskleak.adapt.interpreter_memory import around, own_memory
from pytest_taskleak.adapt.os_threads import CALLS

linux = pytest.mark.skipif(
    sys.platform != "linux" or not own_memory(), reason="the system does not say where a thread sleeps"
)
MAPS = """\
00400000-00401000 r--p 00000000 fe:00 1 /usr/bin/python
00500000-00520000 rw-p 00100000 fe:00 1 /usr/bin/python
00520000-00540000 rw-p 00000000 00:00 0
00540000-00600000 rw-p 00000000 00:00 0 [heap]
7f000000-7f100000 rw-p 00000000 00:00 0
""".splitlines()


def test_memory_of_the_file_and_what_is_zero_at_first() -> None:
    assert around(0x510000, MAPS) == range(0x510000, 0x540000)


def test_the_heap_is_not_the_runtimes() -> None:
    assert 0x540000 not in around(0x500000, MAPS)


@pytest.mark.parametrize("address", [0x10, 0x600000, 0x7FFFFFFFFFFF])
def test_an_address_in_no_area(address: int) -> None:
    assert not around(address, MAPS)


def said(thread: threading.Thread) -> list[bytes]:
    """What the system says of a thread's wait."""
    assert thread.ident is not None
    return cpu_time.in_system(cpu_time.cpu_clocks().get(thread.ident)).split()


TWO = """
import sys, threading
from pytest_taskleak.adapt.interpreter_memory import own_memory

def spin():
    while True:
        pass

threads = [threading.Thread(target=spin, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
memory = own_memory()
print(memory.start, memory.stop, *(thread.native_id for thread in threads), flush=True)
sys.stdin.read()
"""


@linux
def test_who_wants_the_interpreter_wants_what_lies_in_its_memory() -> None:
    """Of two threads that want it all the time one has to wait: looked at from outside."""
    command = [sys.executable, "-P", "-c", TWO]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        start, stop, *numbers = map(int, process.stdout.readline().split())
        paths = [Path(f"/proc/{process.pid}/task/{number}/syscall") for number in numbers]
        found = [words for _ in range(2000) for path in paths if (words := path.read_text().split())[1:]]
        process.kill()
    assert found
    assert {int(words[1], 16) in range(start, stop) for words in found} == {True}


@linux
def test_who_wants_the_interpreter_does_not_sleep() -> None:
    own = f"202 {own_memory().start + 8:#x} 0x80 0x2 0x0 0x0 0x0 0x0 0x0".encode()
    other = f"202 {id(object()):#x} 0x80 0x2 0x0 0x0 0x0 0x0 0x0".encode()
    if CALLS.get(202) == "futex":  # its number depends on the machine
        assert not cpu_time.sleeps(own, still=3600)
        assert cpu_time.sleeps(other, still=3600)


@linux
def test_who_wants_a_lock_sleeps() -> None:
    lock = threading.Lock()
    with lock:
        thread = threading.Thread(target=lock.acquire, daemon=True)
        thread.start()
        words: list[bytes] = []
        for _ in range(100_000):
            words = said(thread)
            if words[:1] not in ([b"running"], []) and int(words[1], 16) not in own_memory():
                break
        assert cpu_time.sleeps(b" ".join(words), still=3600)
        assert thread.ident is not None
        assert cpu_time.is_asleep(thread.ident)
    thread.join()


def test_the_caller_counts_as_asleep() -> None:
    assert cpu_time.is_asleep(threading.get_ident())
