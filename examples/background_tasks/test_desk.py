import asyncio

import pytest

pytestmark = pytest.mark.fake_clock


async def test_a_failed_mail_is_known(open_desk, post, shelf):
    post.broken = True
    async with open_desk(post, shelf) as desk:
        desk.take("tea")
        await asyncio.sleep(10)
        assert len(desk.errors) == 1


async def test_a_slipped_order_is_stored(open_desk, post, shelf):
    shelf.slippery = {"cup"}
    async with open_desk(post, shelf) as desk:
        for order in ("tea", "cup", "pot"):
            desk.take(order)
        await asyncio.sleep(150)
        assert sorted(shelf.orders) == ["cup", "pot", "tea"]


async def test_tasks_have_names(open_desk, post, shelf):
    async with open_desk(post, shelf) as desk:
        desk.take("tea")
        names = {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}
        await asyncio.sleep(10)
    assert names == {"storing", "confirmation"}


async def test_stop_can_be_called_twice(open_desk, post, shelf):
    async with open_desk(post, shelf) as desk:
        await desk.stop()


async def test_orders_are_stored_at_stop(open_desk, post, shelf):
    async with open_desk(post, shelf) as desk:
        desk.take("tea")
        await asyncio.sleep(10)
    assert shelf.orders == ["tea"]


async def test_mails_are_sent_at_stop(open_desk, post, shelf):
    async with open_desk(post, shelf) as desk:
        desk.take("tea")
    assert post.sent == ["confirmed: tea"]


async def test_stop_ends_in_time(open_desk, post, shelf, fake_clock):
    post.seconds = 3600
    async with open_desk(post, shelf) as desk:
        desk.take("tea")
    assert fake_clock.elapsed <= 10
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_stop_leaves_no_timer(open_desk, post, shelf):
    async with open_desk(post, shelf) as desk:
        desk.ask_later("tea")


async def test_a_dead_worker_is_noticed(open_desk, post, shelf):
    shelf.full = True
    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        await ten_minutes(open_desk(post, shelf))


async def ten_minutes(opened):
    async with opened as desk:
        for minute in range(10):
            desk.take(f"tea at {minute}")
            await asyncio.sleep(60)
