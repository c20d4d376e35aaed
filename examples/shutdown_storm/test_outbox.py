import asyncio

import pytest


async def test_mails_are_sent(outbox):
    outbox.post("tea")
    outbox.post("cup")
    await asyncio.sleep(0.1)
    assert outbox.sent == ["tea", "cup"]


async def test_what_was_not_sent_is_saved(make):
    outbox = make()
    await outbox.start()
    outbox.post("tea")
    await outbox.stop()
    assert outbox.saved == ["tea"]


def test_it_can_be_stopped_at_any_moment(make, shutdown_storm):
    shutdown_storm(make, lambda outbox: outbox.post("tea"))


def test_no_mail_is_lost(module, shutdown_storm):
    shutdown_storm(
        lambda env: module.Outbox(send=env.dep("smtp"), line=env.resource("line")),
        load=lambda outbox, env: [outbox.post(env.accept(f"mail {n}")) for n in range(4)],
        done=lambda outbox: outbox.sent + outbox.saved,
        deadline=10,
        name="Outbox",
    )


@pytest.mark.taskleak(storm="quick")
async def test_a_test_as_it_is(outbox):
    outbox.post("tea")
    await asyncio.sleep(0.1)


@pytest.mark.taskleak(cancel="each")
async def test_both_can_be_cancelled(module):
    async def ask(name):
        await asyncio.sleep(0.01)
        return len(name)

    assert await module.both(ask) == 9
