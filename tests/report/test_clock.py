"""Where wall time is booked: on steps while one is under way, else on what the loop does; nothing twice, nothing lost."""

import contextlib
import threading
from time import monotonic, sleep

import pytest

from gan_jax.report.clock import ACCOUNTS
from gan_jax.report.clock import Clock as TrainingClock
from tests.report.streams import Clock


@pytest.fixture
def time():
    """Seconds that pass only when told."""
    return Clock()


@pytest.fixture
def clock(time, monkeypatch):
    """The clock of a training whose steps are done when their metrics, which are events, are set."""
    monkeypatch.setattr("jax.block_until_ready", lambda event: event and event.wait(10))
    return TrainingClock(now=time)


def begin(clock) -> threading.Event:
    """Dispatches a step; sets the event to be done with it."""
    state, event = clock.counted(lambda state, batch: (state + batch, threading.Event()))(1, 2)
    assert state == 3
    return event


def finish(clock, *events, left=0):
    """Steps are done; returns when it has been noticed."""
    for event in events:
        event.set()
    deadline = monotonic() + 10
    while clock._under_way > left:
        assert monotonic() < deadline
        sleep(0.001)


def booked(clock) -> dict:
    """The accounts that are not empty."""
    assert clock.seconds().keys() == set(ACCOUNTS)
    return {name: value for name, value in clock.seconds().items() if value}


def test_time_is_booked_on_what_the_loop_says_and_the_rest_as_other(clock, time):
    time.now += 1
    with clock("compile"):
        time.now += 2
    time.now += 4
    with clock("evaluate"):
        time.now += 8
        with clock("save"):
            time.now += 16
        time.now += 32
    assert booked(clock) == {"other": 5, "compile": 2, "evaluate": 40, "save": 16}


def test_time_counts_from_the_moment_that_is_told(time):
    time.now = 100.0
    assert booked(TrainingClock(since=93.0, now=time)) == {"other": 7}


def test_an_error_ends_what_the_loop_did(clock, time):
    with contextlib.suppress(OSError), clock("save"):
        time.now += 1
        raise OSError
    time.now += 2
    assert booked(clock) == {"save": 1, "other": 2}


def test_a_wait_counts_only_from_when_the_devices_are_idle(clock, time):
    step = begin(clock)
    time.now += 1
    with clock("input"):
        time.now += 2
        finish(clock, step)
        time.now += 4
    assert booked(clock) == {"steps": 3, "input": 4}


def test_two_steps_under_way_count_once(clock, time):
    first = begin(clock)
    time.now += 1
    second = begin(clock)
    time.now += 2
    finish(clock, first, left=1)
    time.now += 4
    finish(clock, second)
    time.now += 8
    assert booked(clock) == {"steps": 7, "other": 8}


def test_the_time_of_the_dispatch_belongs_to_the_step(clock, time):
    def slow():
        time.now += 3
        return None, threading.Event()

    finish(clock, clock.counted(slow)()[1])
    assert booked(clock) == {"steps": 3}


def test_a_step_that_fails_is_not_under_way_any_more(clock, time):
    def failing():
        time.now += 1
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        clock.counted(failing)()
    finish(clock)
    time.now += 2
    assert booked(clock) == {"steps": 1, "other": 2}


def test_waiting_for_things_is_booked_and_what_is_done_with_them_is_not(clock, time):
    def slow():
        for thing in "abc":
            time.now += 1
            yield thing
        time.now += 10  # until it is clear that there are no more

    seen = []
    for thing in clock.each("input", slow()):
        seen.append(thing)
        time.now += 100
    assert seen == ["a", "b", "c"]
    assert booked(clock) == {"input": 13, "other": 300}
