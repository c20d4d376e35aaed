"""An outbox that sends mails in the background, as it was written first."""

import asyncio


class Outbox:
    """Sends mails one after the other; those that are left at its end are saved for the next start."""

    def __init__(self, send, line):
        self._send = send
        self._line = line
        self._mails = asyncio.Queue()
        self._worker = None
        self.sent = []
        self.saved = []

    async def start(self):
        self._line.open()
        self._worker = asyncio.create_task(self._work(), name="worker")
        await self._send("hello")

    def post(self, mail):
        self._mails.put_nowait(mail)

    async def _work(self):
        while True:
            mail = await self._mails.get()
            self._line.use()
            try:
                await self._send(mail)
            except ConnectionError:
                asyncio.get_running_loop().call_later(30, self.post, mail)
            else:
                self.sent.append(mail)

    async def stop(self):
        if self._worker is None:
            return
        worker, self._worker = self._worker, None
        worker.cancel()
        await asyncio.wait([worker])
        self._line.close()
        while not self._mails.empty():
            self.saved.append(self._mails.get_nowait())


async def both(ask):
    """Return the size of two mailboxes, which are asked at once."""
    first = asyncio.create_task(ask("here"), name="asking")
    second = await ask("there")
    return await first + second
