import io

import pytest

from gan_jax.report.progress import Progress
from gan_jax.report.units import duration, figure, quantity
from tests.report.streams import Clock, Terminal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (950, "950"),
        (999.7, "1k"),
        (12_345, "12.3k"),
        (1_280_000, "1.28M"),
        (4.1e9, "4.1G"),
        (3.14159, "3.14"),
    ],
)
def test_quantities_have_three_digits(value, text):
    assert quantity(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(42.4, "42s"), (725, "12m 05s"), (3720, "1h 02m"), (3599.9, "1h 00m"), (273_600, "3d 04h"), (float("inf"), "?")],
)
def test_durations_have_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-1.23456, "-1.235"), (123.456, "123.5"), (0.0123, "0.01230"), (2.13e-5, "2.1e-05"), (54321, "54321")],
)
def test_figures_have_about_four_digits(value, text):
    assert figure(value) == text


def test_a_log_gets_one_line_per_set_of_metrics_with_speed_and_time_left():
    clock, stream = Clock(), io.StringIO()
    progress = Progress(10_000, start_step=1000, start_images=64_000, stream=stream, clock=clock)
    for step in range(1001, 1201):
        clock.now += 0.5
        metrics = {"generator/loss": 0.5, "discriminator/loss": 1.25, "discriminator/real_logit": 9.0}
        progress.update(step, step * 64, metrics if step % 100 == 0 else None)
    progress.close()
    first, second = stream.getvalue().splitlines()
    assert second == (
        "step  1200/10000  12%  76.8k images    128 img/s   1h 13m left  generator  0.5000  discriminator   1.250"
    )
    assert len(first) == len(second)


def test_a_terminal_has_one_line_that_is_drawn_over(monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    clock, stream = Clock(), Terminal()
    with Progress(100, stream=stream, clock=clock) as progress:
        for step in range(1, 101):
            clock.now += 0.01
            progress.update(step, step * 8, {"critic/loss": 2.0} if step == 50 else None)
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    draws = text.split("\r")[1:]
    assert 10 <= len(draws) <= 14  # a second of work, ten draws a second, and those with news
    line = "━" * 20 + "  step 100/100 100%  800 images  800 img/s  0s left  critic 2.000"
    assert draws[-1] == f"{line}\x1b[K\n"


@pytest.mark.parametrize("columns", [20, 60, 75])
def test_a_narrow_terminal_does_not_break_the_line(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    Progress(100, stream=stream, clock=Clock()).update(40, 320, {"critic/loss": 2.0})
    assert len(stream.getvalue().removeprefix("\r").removesuffix("\x1b[K")) <= columns - 1


def test_a_message_does_not_break_the_live_line():
    stream = Terminal()
    progress = Progress(100, stream=stream, clock=Clock())
    progress.update(1, 8)
    progress.message("saved")
    progress.update(2, 16)
    before, after = stream.getvalue().split("saved\n")
    assert before.endswith("\r\x1b[K")
    assert after.startswith("\r")


def test_speed_is_that_of_the_last_minute():
    clock, stream = Clock(), io.StringIO()
    progress = Progress(1000, stream=stream, clock=clock)
    for step in range(1, 501):
        clock.now += 10.0 if step <= 100 else 1.0
        progress.update(step, step, {"loss": 1.0} if step == 500 else None)
    assert "    1 img/s   8m 20s left" in stream.getvalue()
