# expect: TL521 test_leaves what=socket born=here severity=note
# why: a socket that is kept and never closed, told as a note
# runner: sync
import socket

kept: list[socket.socket] = []


def test_leaves() -> None:
    kept.append(socket.socket())  # born:here


def test_neighbour() -> None:
    with socket.socket():
        pass
