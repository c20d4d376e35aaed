# expect: TL705 test_told what=Scheduler.run severity=note
# why: a library that reports by the loop's exception handler has decided to do so: worth a note
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


def work() -> None:
    raise ValueError("boom")


class Scheduler:
    def run(self) -> None:
        try:
            work()
        except ValueError as error:
            context = {"message": "Job processing failed", "job": self, "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


async def test_told() -> None:
    Scheduler().run()


async def test_handled() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    Scheduler().run()
