# expect: clean
# why: the server is shut down and closed
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
    server = http.server.HTTPServer(("127.0.0.1", 0), Hello)
    kept.append(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client = http.client.HTTPConnection("127.0.0.1", server.server_port)
    client.request("GET", "/")
    assert client.getresponse().status == 200
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_neighbour() -> None:
    pass
