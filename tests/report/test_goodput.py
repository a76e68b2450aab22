"""Goodput over all attempts at a run: what counts, what was done again, how it is kept and shown."""

import json
import re
from xml.etree import ElementTree

import pytest

from gan_jax.report import goodput
from gan_jax.report.clock import ACCOUNTS
from gan_jax.report.clock import Clock as TrainingClock
from gan_jax.report.goodput import Ledger, bar, in_words, read_attempts, totals
from tests.report.streams import Clock


def attempt(first, step, **seconds):
    return {"first": first, "step": step, "seconds": {**dict.fromkeys(ACCOUNTS, 0.0), **seconds}}


def filled(seconds) -> dict:
    return {name: value for name, value in seconds.items() if value}


def test_one_attempt_counts_as_it_is():
    seconds = totals([attempt(0, 100, steps=90.0, compile=6.0, other=4.0)])
    assert filled(seconds) == {"steps": 90, "compile": 6, "other": 4}
    assert goodput.goodput(seconds) == 0.9


def test_steps_beyond_the_checkpoint_are_done_again_and_do_not_count():
    lost = attempt(0, 100, steps=50.0, save=10.0)  # killed at step 100, 20 steps after its last checkpoint
    seconds = totals([lost, attempt(80, 200, steps=60.0)])
    assert filled(seconds) == {"steps": 100, "redone": 10, "save": 10}
    assert sum(seconds.values()) == 120


def test_attempts_that_saved_nothing_are_lost_and_so_are_checkpoints_that_were_damaged():
    in_vain = [attempt(40, 50, steps=5.0), attempt(40, 60, steps=10.0), attempt(40, 100, steps=30.0)]
    assert filled(totals([attempt(0, 40, steps=20.0), *in_vain])) == {"steps": 50, "redone": 15}
    back = [attempt(0, 40, steps=20.0), attempt(40, 80, steps=20.0), attempt(20, 80, steps=30.0)]
    assert filled(totals(back)) == {"steps": 40, "redone": 30}


def test_a_stop_that_saved_loses_nothing():
    assert filled(totals([attempt(0, 30, steps=3.0), attempt(30, 60, steps=3.0)])) == {"steps": 6}


def test_nothing_is_no_goodput():
    assert goodput.goodput(totals([])) == 0
    assert bar([]) == ""


def test_words_give_the_share_and_all_accounts():
    whole = attempt(0, 9, steps=725.0, compile=41.0, input=3.0, save=2.0, evaluate=12.0, other=8.0)
    assert in_words([whole]) == (
        "goodput 91.7 %: steps 12m 05s, compile 41s, input 3s, save 2s, evaluate 12s, other 8s"
    )
    again = in_words([whole, attempt(6, 9, steps=10.0)])
    assert again.startswith("goodput 61.6 %: steps 8m 13s, redone 4m 02s, compile 41s")
    assert again.endswith("; 2 attempts")


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """Makes the ledger of an attempt; time passes by `ledger.now`."""
    time = Clock()
    monkeypatch.setattr(goodput.time, "monotonic", time)

    def make(first):
        ledger = Ledger(tmp_path, first, TrainingClock(now=time))
        ledger.time = time
        return ledger

    return make


def test_attempts_follow_one_another_in_the_file(ledger, tmp_path):
    for first, step in ((0, 10), (8, 20)):
        attempt = ledger(first)
        attempt.time.now += 7
        attempt.flush(step)
        attempt.flush(step)
    assert [(entry["first"], entry["step"]) for entry in read_attempts(tmp_path)] == [(0, 10), (8, 20)]
    assert [entry["seconds"]["other"] for entry in read_attempts(tmp_path)] == [7, 7]
    assert [path.name for path in tmp_path.iterdir()] == ["goodput.json"]


def test_the_share_is_that_of_the_whole_run_and_is_written_now_and_then(ledger, tmp_path):
    before = [attempt(0, 10, steps=30.0)]
    (tmp_path / "goodput.json").write_text(json.dumps(before))
    now = ledger(5)
    now.time.now += 20
    assert now.share(6) == pytest.approx(15 / 50)
    written = read_attempts(tmp_path)
    assert written == [*before, attempt(5, 6, other=20.0)]
    now.time.now += goodput.atomic.SECONDS - 1
    now.share(7)
    assert read_attempts(tmp_path) == written
    now.time.now += 2
    now.share(8)
    assert read_attempts(tmp_path)[-1]["step"] == 8


@pytest.mark.parametrize(
    "text", ["", "\xff", "3", "[3]", "{}", '[{"first": 0}]', '[{"first": 0, "step": 1, "seconds": {"steps": "x"}}]']
)
def test_a_broken_file_is_none(tmp_path, text):
    (tmp_path / "goodput.json").write_text(text, encoding="latin-1")
    assert read_attempts(tmp_path) == []


def test_the_bar_has_a_part_and_a_line_for_everything_that_took_time():
    card = bar([attempt(0, 100, steps=50.0, save=10.0), attempt(80, 200, steps=35.0, compile=5.0)])
    tree = ElementTree.fromstring(f"<main>{card}</main>")
    assert "".join(tree.find(".//p").itertext()) == "75.0 % goodput of 1m 40s in 2 attempts"
    parts = tree.findall(".//div[@class='bar']/i")
    assert [part.get("title") for part in parts] == [
        *("steps 75.0 %, 1m 15s", "redone 10.0 %, 10s", "compile 5.0 %, 5s", "save 10.0 %, 10s"),
    ]
    widths = [float(re.fullmatch(r"flex-grow:([\d.]+)", part.get("style"))[1]) for part in parts]
    assert widths == [750, 100, 50, 100]
    lines = ["".join(line.itertext()) for line in tree.iter("li")]
    assert lines == ["steps 75.0 % 1m 15s", "redone 10.0 % 10s", "compile 5.0 % 5s", "save 10.0 % 10s"]
    colours = [part.get("class") for part in parts]
    assert colours == [line.find("i").get("class") for line in tree.iter("li")]
    assert len(set(colours)) == 4
