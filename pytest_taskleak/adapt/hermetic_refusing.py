"""What does a simulated loop refuse, and with which error?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

REFUSED = (
    *("create_connection", "create_server", "create_unix_connection", "create_unix_server", "sendfile"),
    *("create_datagram_endpoint", "connect_accepted_socket", "start_tls", "sock_recv", "sock_recv_into"),
    *("sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto", "sock_connect", "sock_accept"),
    *("sock_sendfile", "getaddrinfo", "getnameinfo", "add_reader", "add_writer", "connect_read_pipe"),
    *("connect_write_pipe", "subprocess_exec", "subprocess_shell"),
)
"""Methods of loops that reach outside."""


class HermeticError(RuntimeError):
    """Code under a storm reached for something outside of the simulated loop."""


class NoSelector:
    """Stands where a loop has its selector."""

    def get_map(self) -> dict[int, Any]:
        """Return nothing: nothing is registered."""
        return {}


def refusing(name: str) -> Callable[..., Any]:
    """Return a method that refuses to reach outside."""

    def refused(self: Any, *_args: Any, **_options: Any) -> Any:
        self._refuse(f"loop.{name}()")

    refused.__name__ = name
    return refused
