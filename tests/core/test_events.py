"""Subscribers get every event in order, and cannot harm the run or each other."""

from __future__ import annotations

import logging

import pytest

from veriloop.core.events import Emitter, Event, Noticed


def event(i: int) -> Noticed:
    return Noticed(run="r", id=f"r/{i}", text=str(i))


def test_every_subscriber_gets_every_event_in_order():
    one: list[Event] = []
    other: list[Event] = []
    emit = Emitter("r", (one.append, other.append))
    for i in range(3):
        emit(Noticed, str(i), text=str(i))
    assert one == other == [event(0), event(1), event(2)]


def test_a_subscriber_that_fails_is_logged_once_and_left_out(caplog: pytest.LogCaptureFixture):
    seen: list[Event] = []
    asked: list[Event] = []

    def broken(event: Event) -> None:
        asked.append(event)
        raise RuntimeError("no")

    emit = Emitter("r", (broken, seen.append))
    with caplog.at_level(logging.ERROR, "veriloop"):
        for i in range(3):
            emit(Noticed, str(i), text=str(i))
    assert seen == [event(0), event(1), event(2)]
    assert asked == [event(0)]
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_an_interrupt_is_no_fault_of_a_subscriber():
    def interrupted(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Emitter("r", (interrupted,))(Noticed, "0", text="0")


def test_nobody_need_listen():
    Emitter("r")(Noticed, "0", text="0")
