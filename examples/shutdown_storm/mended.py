"""An outbox that sends mails in the background, and can be stopped at any moment."""

import asyncio


class Outbox:
    """Sends mails one after the other; those that are left at its end are saved for the next start."""

    def __init__(self, send, line):
        self._send = send
        self._line = line
        self._mails = asyncio.Queue()
        self._open = []  # each mail, from post() until it is sent
        self._timers = {}
        self._worker = None
        self.sent = []
        self.saved = []

    async def start(self):
        self._line.open()
        self._worker = asyncio.create_task(self._work(), name="worker")
        try:
            await self._send("hello")
        except BaseException:
            await self.stop()
            raise

    def post(self, mail):
        self._open.append(mail)
        self._mails.put_nowait(mail)

    async def _work(self):
        while True:
            mail = await self._mails.get()
            self._line.use()
            try:
                await self._send(mail)
            except ConnectionError:
                loop = asyncio.get_running_loop()
                self._timers[mail] = loop.call_later(30, self._mails.put_nowait, mail)
            else:
                self._open.remove(mail)
                self.sent.append(mail)

    async def stop(self):
        if self._worker is None:
            return
        worker, self._worker = self._worker, None
        worker.cancel()
        try:
            await asyncio.wait([worker])
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._line.close()
            self.saved += self._open
            self._open.clear()
            self._mails = asyncio.Queue()


async def both(ask):
    """Return the size of two mailboxes, which are asked at once."""
    async with asyncio.TaskGroup() as group:
        first = group.create_task(ask("here"), name="asking")
        second = await ask("there")
    return first.result() + second
