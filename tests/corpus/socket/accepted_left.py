# expect: TL521 test_leaves what=socket born=here severity=note
# why: the listener and the client are closed, what was accepted is not
# runner: sync
import socket

kept: list[socket.socket] = []


def test_leaves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        kept.append(listener.accept()[0])  # born:here


def test_neighbour() -> None:
    pass
