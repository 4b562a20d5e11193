"""The clock that is given."""

import asyncio

import pytest

from targets.reference.clock import Clock


def test_advance_moves_clock_and_date() -> None:
    clock = Clock(lambda: 100.0, lambda: 0.0)
    clock.advance(3600)
    assert clock.now() == 3700.0
    assert clock.date().hour == 1


def test_a_clock_cannot_be_set_back() -> None:
    with pytest.raises(ValueError, match="set back"):
        Clock().advance(-1)


def test_whoever_waits_is_woken_by_advance_only_when_it_is_time() -> None:
    async def scene() -> None:
        clock = Clock(lambda: 0.0)
        waiting = asyncio.create_task(clock.wait_until(100, asyncio.Event()))
        await asyncio.sleep(0)
        clock.advance(99)
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        clock.advance(1)
        await asyncio.wait_for(waiting, 1)

    asyncio.run(scene())


def test_whoever_waits_is_woken_by_an_order() -> None:
    async def scene() -> None:
        clock, order = Clock(lambda: 0.0), asyncio.Event()
        waiting = asyncio.create_task(clock.wait_until(100, order))
        await asyncio.sleep(0)
        order.set()
        await asyncio.wait_for(waiting, 1)
        assert clock.now() == 0

    asyncio.run(scene())


def test_real_time_passes_too() -> None:
    async def scene() -> float:
        clock = Clock()
        start = clock.now()
        await asyncio.wait_for(clock.wait_until(start + 0.05, asyncio.Event()), 1)
        return clock.now() - start

    assert asyncio.run(scene()) >= 0.05
