# expect: TL501 test_server what=Hello born=here
# why: shutdown() without server_close() leaves the socket listening
# runner: thread
import http.client
import http.server
import threading


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


kept: list[http.server.HTTPServer] = []


def test_server() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Hello)  # born:here
    kept.append(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client = http.client.HTTPConnection("127.0.0.1", server.server_port)
    client.request("GET", "/")
    assert client.getresponse().status == 200
    client.close()
    server.shutdown()
    thread.join()


def test_neighbour() -> None:
    pass
