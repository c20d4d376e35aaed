# expect: clean
# why: closed by hand, by a with statement, detached, or handed on
# runner: sync
# args: --taskleak-severity=socket=fail -W ignore::ResourceWarning
import os
import socket


def test_closed() -> None:
    made = socket.socket()
    made.close()


def test_with() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        accepted.close()


def test_detached() -> None:
    made, other = socket.socketpair()
    other.close()
    os.close(made.detach())


def test_handed_on() -> None:
    made, other = socket.socketpair()
    with other, socket.socket(fileno=made.detach()) as again:
        again.send(b"x")
        assert other.recv(1) == b"x"


def test_dropped_in_a_cycle() -> None:
    class Node:
        pass

    node = Node()
    node.me, node.socket = node, socket.socket()
