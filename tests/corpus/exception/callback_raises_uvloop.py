# expect: TL702 test_raises what=stumble
# why: uvloop gives what a callback raises to the handler of the loop
# runner: uvloop
# needs: uvloop
import uvloop


def stumble() -> None:
    raise ValueError("boom")


def test_raises() -> None:
    loop = uvloop.new_event_loop()
    loop.call_soon(stumble)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()


def test_neighbour() -> None:
    loop = uvloop.new_event_loop()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
