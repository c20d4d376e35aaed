# expect: TL521 test_leaves what=socket born=here severity=note
# why: both ends are left, one line made them
# runner: sync
import socket

kept: list[tuple[socket.socket, socket.socket]] = []


def test_leaves() -> None:
    kept.append(socket.socketpair())  # born:here


def test_neighbour() -> None:
    pass
