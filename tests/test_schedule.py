"""When outputs are due: at multiples, once each, not before the start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytbl.errors import InputError
from pytbl.schedule import Schedule


def written(schedule, dt, steps):
    times = []
    t = 0.0
    for _ in range(steps + 1):
        if schedule.due(t):
            schedule.done(t)
            times.append(t)
        t += dt
    return times


@given(st.integers(1, 20), st.integers(0, 100))
def test_every_multiple_once(stride, steps):
    times = written(Schedule(0.01 * stride), 0.01, steps)
    assert times == pytest.approx([0.01 * stride * i for i in range(steps // stride + 1)])


def test_nothing_before_the_start():
    times = written(Schedule(0.5, start=2.0), 0.1, 40)
    assert times == pytest.approx([2.0, 2.5, 3.0, 3.5, 4.0])


@pytest.mark.parametrize("arguments", [dict(every=0), dict(every=1.0, start=float("nan"))])
def test_what_cannot_be_a_schedule(arguments):
    with pytest.raises(InputError, match="must be a finite number"):
        Schedule(**arguments)
