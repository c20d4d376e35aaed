# expect: TL301 test_transfers what=transfer born=ab cause=thread-lock-order finality=deadlock
# waits: *Lock*
# row: held_by *'ba'*
# expect: TL301 test_transfers what=transfer born=ba cause=thread-lock-order finality=deadlock
# waits: *Lock*
# row: held_by *'ab'*
# edge: thread 'ab' -> threading.Lock* [waits for]
# edge: threading.Lock* -> thread 'ba' [held by]
# edge: threading.Lock* -> thread 'ab' [held by]
# cycle: thread 'ab', thread 'ba'
# why: two locks in opposite order, told by the with blocks of the two threads
# runner: sync
import threading


def transfer(source: threading.Lock, target: threading.Lock, both: threading.Barrier) -> None:
    with source:
        both.wait()
        with target:
            pass


def test_transfers() -> None:
    one, two, both = threading.Lock(), threading.Lock(), threading.Barrier(3)
    ab = threading.Thread(target=transfer, args=(one, two, both), name="ab", daemon=True)
    ba = threading.Thread(target=transfer, args=(two, one, both), name="ba", daemon=True)
    ab.start()  # born:ab
    ba.start()  # born:ba
    both.wait()


def test_neighbour() -> None:
    pass
