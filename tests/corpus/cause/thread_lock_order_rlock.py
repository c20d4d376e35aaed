# expect: TL301 test_transfers what=debit born=debit cause=thread-lock-order finality=deadlock|stuck
# row: held_by *'credit'*
# expect: TL301 test_transfers what=credit born=credit cause=thread-lock-order finality=deadlock|stuck
# row: held_by *'debit'*
# edge: thread 'debit' -> threading.RLock*LEDGER* [waits for]
# edge: threading.RLock*LEDGER* -> thread 'credit' [held by]
# edge: threading.RLock*ACCOUNT* -> thread 'debit' [held by]
# cycle: thread 'debit', thread 'credit'
# why: reentrant locks know their owner; these are globals, one is taken with a bare acquire()
# runner: sync
import threading

ACCOUNT, LEDGER = threading.RLock(), threading.RLock()
BOTH = threading.Barrier(3)


def debit() -> None:
    ACCOUNT.acquire()
    BOTH.wait()
    with LEDGER:
        pass
    ACCOUNT.release()


def credit() -> None:
    with LEDGER:
        BOTH.wait()
        with ACCOUNT:
            pass


def test_transfers() -> None:
    threading.Thread(target=debit, name="debit", daemon=True).start()  # born:debit
    threading.Thread(target=credit, name="credit", daemon=True).start()  # born:credit
    BOTH.wait()


def test_neighbour() -> None:
    pass
