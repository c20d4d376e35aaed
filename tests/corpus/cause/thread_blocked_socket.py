# expect: TL301 test_reads what=read born=here cause=thread-blocked finality=outside
# waits: *recv*|*socket*
# why: it reads from a socket whose peer says nothing
# runner: sync
# args: --taskleak-detect=thread
import socket
import threading

PAIRS: list[socket.socket] = []


def read(connection: socket.socket) -> None:
    connection.recv(100)


def test_reads() -> None:
    ours, theirs = socket.socketpair()
    PAIRS.extend((ours, theirs))
    threading.Thread(target=read, args=(ours,), name="reader", daemon=True).start()  # born:here


def test_neighbour() -> None:
    pass
