"""The bar of preparations and inspections."""

import io

from gan_jax.report.bar import Bar
from tests.report.streams import Clock, Terminal


def test_a_terminal_has_one_live_line_with_speed_and_time_left(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    clock, stream = Clock(), Terminal()
    bar = Bar(1000, 200, stream, clock)
    for done in range(200, 600, 4):
        bar.update(done)
        clock.now += 0.02
    clock.now = 4.0
    bar.update(600)
    bar.close()
    *_, last = stream.getvalue().split("\r")
    assert last == "━" * 12 + "─" * 8 + "  600/1000 images 60%  100 img/s  4s left\x1b[K\n"
    assert stream.getvalue().count("\r") <= 22


def test_a_log_has_a_line_every_ten_seconds_and_the_last(monkeypatch):
    clock, stream = Clock(), io.StringIO()
    bar = Bar(1000, 0, stream, clock)
    for done in (*range(0, 1001, 10), 1000):
        bar.update(done)
        clock.now += 0.25
    bar.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0] == "400/1000 images 40%  40 img/s  15s left"
    assert lines[-1].startswith("1000/1000 images 100%")
