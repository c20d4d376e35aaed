# expect: TL501 test_leaves what=Service born=here
# why: the loop is closed by hand under the server
# runner: sync own loop
import asyncio


class Service(asyncio.Protocol):
    pass


def test_leaves() -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(loop.create_server(Service, "127.0.0.1", 0))  # born:here
    loop.close()


def test_tidy() -> None:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Service, "127.0.0.1", 0))
    server.close()
    loop.run_until_complete(server.wait_closed())
    loop.close()
