# expect: TL301 test_serves what=Server.serve born=here cause=thread-no-stop finality=wakeable|unknown
# waits: *Event*
# why: the module still has the server, which could be stopped, and is not
# runner: sync
import threading

SERVERS: list["Server"] = []


class Server:
    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.serve, name="server", daemon=True)
        self.thread.start()  # born:here

    def serve(self) -> None:
        self.stopped.wait()


def test_serves() -> None:
    SERVERS.append(Server())


def test_neighbour() -> None:
    pass
