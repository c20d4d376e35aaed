# expect: TL521 test_leaves what=SSLSocket born=here severity=note
# why: the plain socket is detached into the TLS one, which is left
# runner: sync
import socket
import ssl

kept: list[ssl.SSLSocket] = []


def test_leaves() -> None:
    kept.append(ssl.create_default_context().wrap_socket(socket.socket(), server_hostname="x"))  # born:here


def test_tidy() -> None:
    with ssl.create_default_context().wrap_socket(socket.socket(), server_hostname="x"):
        pass
