"""An event API as it was written first: an ASGI app without a framework."""

import asyncio


class Api:
    """Stores the events that are posted, and says again what is said in its room."""

    def __init__(self, database):
        self.database = database

    async def __call__(self, scope, receive, send):
        await getattr(self, scope["type"])(scope, receive, send)

    async def lifespan(self, scope, receive, send):
        await receive()
        self.database.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.database.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def http(self, scope, receive, send):
        event = scope["path"].rpartition("/")[2]
        asyncio.create_task(self.database.insert(event))  # noqa: RUF006 -- one of its mistakes
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def websocket(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            if message["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})
