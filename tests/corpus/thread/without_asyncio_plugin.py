# expect: TL301 test_leaves what=work born=start
# why: no asyncio plugin is loaded at all
# runner: sync
# args: -p no:asyncio
import threading


def work(stop: threading.Event) -> None:
    stop.wait()


def test_leaves() -> None:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start


def test_neighbour() -> None:
    pass
