"""The same tests for both: is an event lost that was accepted, and does the API come to its end?"""


def test_no_event_is_lost(make, shutdown_storm):
    shutdown_storm.asgi(
        make,
        requests=[("POST", "/events/{i}")] * 10,
        stored=lambda app: app.database.events,
    )


def test_the_room_is_left(make, shutdown_storm):
    shutdown_storm.asgi(make, requests=[("WS", "/room", ["hello", "anybody?"])] * 2)
