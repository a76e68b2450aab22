"""Two models beside each other: only what was measured alike, and with an honest doubt."""

import json

import numpy as np
import pytest
from scipy import stats

from gan_jax.compare import compare
from gan_jax.errors import ConfigError

PROTOCOL = {"extractor": "inception", "resize": "tf1", "samples": 100, "seed": 0, "truncation": None}


def write(folder, fids, images=64, **changed):
    """Evaluations of a workdir, one for each seed."""
    (folder / "evaluations").mkdir(parents=True, exist_ok=True)
    for seed, fid in enumerate(fids):
        protocol = {**PROTOCOL, "seed": seed, **changed}
        record = {"images": images, "samples": 100, "seed": seed, "truncation": None, "fid": fid, "recall": 0.5}
        record["protocol"] = {"fid": protocol, "recall": protocol}
        name = f"{images:010d}{f'_seed{seed}' if seed else ''}.json"
        (folder / "evaluations" / name).write_text(json.dumps(record))
    return str(folder)


def test_the_interval_of_the_difference_is_welch_s(tmp_path):
    first, second = [10.0, 10.4, 9.9, 10.1], [8.0, 8.9, 8.2]
    record, text = compare(write(tmp_path / "a", first), write(tmp_path / "b", second))
    fid = record["scores"]["fid"]
    expected = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert fid["difference"] == pytest.approx(np.mean(second) - np.mean(first))
    assert fid["difference_interval"] == pytest.approx((expected.high - expected.low) / 2)
    assert fid["first_interval"] == pytest.approx(stats.t.ppf(0.975, 3) * stats.sem(first))
    assert (fid["better"], record["evaluations"]) == ("second", [4, 3])
    assert "better" not in record["scores"]["recall"]
    row = next(line for line in text.splitlines() if line.startswith("fid"))
    assert row.split()[:3] == ["fid", "10.10", "±"]
    assert row.endswith(str(tmp_path / "b"))


def test_differences_within_chance_are_called_unclear(tmp_path):
    record, text = compare(write(tmp_path / "a", [10.0, 12.0]), write(tmp_path / "b", [9.0, 11.5]))
    assert "better" not in record["scores"]["fid"]
    assert "unclear" in text


def test_one_evaluation_each_has_no_interval_and_says_so(tmp_path):
    a, b = write(tmp_path / "a", [10.0]), write(tmp_path / "b", [8.0])
    record, text = compare(f"{a}/evaluations/0000000064.json", b)
    assert record["scores"]["fid"] == {"first": 10.0, "second": 8.0, "difference": -2.0}
    assert "nothing says how far chance goes" in text


def test_several_trainings_stand_for_one_model(tmp_path):
    runs = ",".join(write(tmp_path / name, [value]) for name, value in (("a", 10.0), ("b", 12.0)))
    record, _ = compare(runs, write(tmp_path / "c", [5.0, 6.0]))
    assert (record["evaluations"], record["scores"]["fid"]["first"]) == ([2, 2], 11.0)


@pytest.mark.parametrize(
    ("field", "value", "shown"), [("resize", "clean", "'clean'"), ("samples", 50, "50"), ("extra", 1, "None")]
)
def test_unlike_protocols_are_refused_and_the_field_is_named(tmp_path, field, value, shown):
    a, b = write(tmp_path / "a", [10.0]), write(tmp_path / "b", [8.0], **{field: value})
    with pytest.raises(ConfigError, match=rf"fid cannot be compared: its {field} is .*{shown}.*"):
        compare(a, b)


def test_only_the_newest_images_count_and_failed_evaluations_do_not(tmp_path):
    a = write(tmp_path / "a", [10.0])
    write(tmp_path / "a", [7.0], images=128)
    failed = {"images": 256, "step": 9, "status": "failed: NaN"}
    (tmp_path / "a" / "evaluations" / "0000000256.json").write_text(json.dumps({**failed, "protocol": {}}))
    record, _ = compare(a, write(tmp_path / "b", [8.0]))
    assert record["scores"]["fid"]["first"] == 7.0


def test_what_cannot_be_compared_is_a_sentence(tmp_path):
    a = write(tmp_path / "a", [1.0])
    (tmp_path / "old.json").write_text('{"images": 1, "fid": 2.0}')
    (tmp_path / "torn.json").write_text('{"images": 1')
    for other, message in (
        ("none", "is no folder of evaluations"),
        ("none.json", "cannot be read"),
        ("old.json", "is no evaluation of gan-jax that tells its protocol"),
        ("torn.json", "is no evaluation of gan-jax"),
    ):
        with pytest.raises(ConfigError, match=message):
            compare(a, str(tmp_path / other))
    with pytest.raises(ConfigError, match="both sides are"):
        compare(a, a)
