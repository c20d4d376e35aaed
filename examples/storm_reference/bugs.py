"""The bugs that can be switched on in the service, and how a shutdown storm tells of each."""

from __future__ import annotations

from typing import NamedTuple


class Bug(NamedTuple):
    """One of them.

    Parameters:
        what: what the service does wrong.
        axis: what has to be done to it, so that this shows.
        told: the letters of the checks that tell of it, others aside.
    """

    what: str
    axis: str
    told: str


BUGS = {
    "swallowed-cancel": Bug(
        "a bare except round the work takes the cancellation for one more failure", "stop", "B"
    ),
    "swallowed-cancel-in-cleanup": Bug(
        "only while it undoes a failed store is a worker deaf to its cancellation", "stop", "B"
    ),
    "buffer-lost-on-cancel": Bug(
        "a batch is put back when the flush fails, and a cancellation is no failure", "stop", "L"
    ),
    "buffer-lost-in-gap": Bug(
        "a batch is put back in any case, but for an await between the swap and the try", "stop", "L"
    ),
    "closed-before-users": Bug("the connections are closed before the workers have ended", "stop", "C"),
    "orphan-timer": Bug("what waits to be tried again is not told of the end", "stop", "L"),
    "stop-not-idempotent": Bug("the second stop trips over what the first has put away", "stop", "I"),
    "lock-held": Bug("a lock is given back by the last line, and not by a finally", "stop", "BK"),
    "permit-leaked": Bug(
        "a permit is taken, and something awaited before the try that gives it back", "stop", "B"
    ),
    "lost-wakeup": Bug(
        "who is handed a permit and cancelled before it runs does not hand it on", "stop", "B"
    ),
    "get-races-stop": Bug(
        "a get that is won at the moment of the stop is thrown away with its item", "stop", "L"
    ),
    "spawned-by-cancel": Bug(
        "a cancelled worker begins a task that reports it, and nobody waits for that", "stop", "T"
    ),
    "start-leaks": Bug(
        "a start that is cancelled leaves the connections open that it has opened by then", "cancel", "R"
    ),
    "second-cancel": Bug(
        "who does not end at once is cancelled once more, in the middle of its cleanup", "stop", "L"
    ),
    "coalescing-deadlock": Bug(
        "who waits for the first to load the configuration waits for ever if that one goes", "kill", "Q"
    ),
    "taken-then-cancelled": Bug(
        "an await between the get and the try: the item is nobody's, and join() waits", "stop", "L"
    ),
    "shield-forgotten": Bug(
        "what a shield protects from the cancellation goes on, and nobody waits for it", "stop", "L"
    ),
    "stop-not-shielded": Bug("a second cancel of who stops the service cuts the stop short", "pair", "R"),
    "unanswered": Bug("the client of an item that goes to the journal is not told", "stop", "Q"),
    "batch-lost-on-fault": Bug("a flush that fails loses its batch", "fault", "L"),
}
