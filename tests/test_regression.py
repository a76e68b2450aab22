"""A bench against an earlier one: what counts as worse, what is noise, and which records have nothing to say to each other."""

import copy
import json
import math

import pytest

from gan_jax import regression
from gan_jax.errors import ConfigError


def rates(seconds: float, spread: float = 0.0, steps: int = 50) -> dict:
    """Of steps whose quartiles lie so far from the median, as a share of it."""
    quartiles = [seconds * (1 - spread), seconds * (1 + spread)]
    return {
        "steps": steps,
        "step_seconds": seconds,
        "step_seconds_quartiles": quartiles,
        "images_per_second": 64 / seconds,
    }


def record(real: float = 0.1, spread: float = 0.0, steps: int = 50) -> dict:
    return {
        "format": 1,
        "date": "2026-01-02T03:04:05+00:00",
        "environment": {
            "git_commit": "abc",
            "packages": {"jax": "0.10.2"},
            "flags": {},
            "driver": "580.1",
            "device": "NVIDIA H200",
            "backend": "gpu",
            "devices": 8,
            "processes": 1,
            "processor": "EPYC",
            "cores": 64,
        },
        "config": {"model.G.channels": 96, "train.batch_size": 64, "report.every": "1 step", "seed": 0},
        "data_only": False,
        "batch_size": 64,
        "compile": {"seconds": 30.0},
        "synthetic": rates(0.1),
        "real": rates(real, spread, steps),
        "loop_efficiency": 0.1 / real,
        "memory": {"arguments": 300, "temporaries": 700, "device_peak": None},
    }


def changed(place: str, value) -> dict:
    """A record in which one field has another value."""
    other = copy.deepcopy(record())
    section = other
    *names, last = place.split("/")
    for name in names:
        section = section[name]
    section[last] = value
    return other


def row(against: dict, name: str) -> dict:
    return next(row for row in against["measures"] if row["name"] == name)


def test_the_same_record_has_not_changed():
    against = regression.compared(record(), record(), 0.0)
    assert (against["regressions"], against["differences"]) == ([], [])
    assert {row["ratio"] for row in against["measures"]} == {1.0}
    assert "nothing is worse by more than 0%" in regression.as_text(against)


@pytest.mark.parametrize(("seconds", "worse"), [(0.109, False), (0.111, True), (0.05, False)])
def test_slower_by_more_than_the_tolerance_is_a_regression(seconds, worse):
    against = regression.compared(record(), record(real=seconds), 0.1)
    assert against["regressions"] == (["step, ms", "images/s"] if worse else [])
    step, images = row(against, "step, ms"), row(against, "images/s")
    assert (step["before"], step["now"]) == pytest.approx((100, seconds * 1e3))
    assert step["ratio"] == pytest.approx(seconds / 0.1) == pytest.approx(1 / images["ratio"])


@pytest.mark.parametrize(
    ("place", "value", "name"),
    [
        ("compile/seconds", 36.0, "compiling, s"),
        ("memory/temporaries", 900, "arguments + temporaries, MB"),
        ("memory/device_peak", 1200, "peak of the device, MB"),
    ],
)
def test_other_figures_regress_too(place, value, name):
    before = changed("memory/device_peak", 1000)
    against = regression.compared(before, {**before, **changed(place, value)}, 0.1)
    assert against["regressions"] == [name]
    text = regression.as_text(against)
    assert [line.startswith(name) for line in text.splitlines() if line.endswith("REGRESSION")] == [True]
    assert text.endswith(f"worse by more than 10% and the noise: {name}")
    assert not regression.compared(changed(place, value), before, 0.1)["regressions"]


def test_a_faster_step_on_a_resident_batch_is_no_regression():
    """The input has become the slower part, but nothing has become slower."""
    faster = {**changed("loop_efficiency", 0.5), "synthetic": rates(0.05)}
    against = regression.compared(record(), faster, 0.1)
    assert row(against, "loop efficiency")["ratio"] == 0.5
    assert not against["regressions"]


def test_what_a_side_has_not_is_left_out():
    names = {row["name"] for row in regression.compared(record(), record(), 0.1)["measures"]}
    assert "peak of the device, MB" not in names
    assert "input alone, images/s" not in names


def test_the_noise_is_that_of_the_medians_and_shrinks_with_the_steps():
    noisy = row(regression.compared(record(), record(spread=0.1, steps=100), 0.1), "step, ms")["noise"]
    assert noisy == pytest.approx(1.96 * 0.93 * 0.2 / math.sqrt(100))
    both = regression.compared(record(spread=0.1), record(spread=0.1), 0.1)
    assert row(both, "step, ms")["noise"] == pytest.approx(noisy * 2)  # twice the variance, for half the steps
    assert row(both, "compiling, s")["noise"] is None


def test_a_change_within_the_noise_is_no_regression():
    assert regression.compared(record(), record(real=0.13), 0.1)["regressions"]
    few = regression.compared(record(spread=0.2, steps=4), record(real=0.13, spread=0.2, steps=4), 0.1)
    assert row(few, "step, ms")["ratio"] == pytest.approx(1.3)
    assert not few["regressions"]


def test_other_versions_may_differ_and_are_told():
    other = changed("environment/packages", {"jax": "0.11.2", "libtpu": "1"})
    other["environment"].update(git_commit="def", driver="590.2", flags={"XLA_FLAGS": "--xla_x"}, cores=32)
    regression.check_comparable(record(), other)
    told = regression.compared(record(), other, 0.1)["differences"]
    assert sorted(told) == [
        "XLA_FLAGS was None, is '--xla_x'",
        "cores was 64, is 32",
        "driver was '580.1', is '590.2'",
        "git_commit was 'abc', is 'def'",
        "jax was '0.10.2', is '0.11.2'",
        "libtpu was None, is '1'",
    ]


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        ("config/model.G.channels", 64, "config.model.G.channels 96 there and 64 here"),
        ("config/data.flip", True, "config.data.flip 'absent' there and True here"),
        ("environment/device", "NVIDIA A100", "device 'NVIDIA H200' there and 'NVIDIA A100' here"),
        ("environment/devices", 4, "devices 8 there and 4 here"),
        ("environment/processes", 2, "processes 1 there and 2 here"),
        ("batch_size", 32, "batch_size 64 there and 32 here"),
        ("data_only", True, "data_only False there and True here"),
    ],
)
def test_what_was_not_measured_alike_is_refused_by_name(place, value, named):
    with pytest.raises(ConfigError, match="is of something else") as caught:
        regression.check_comparable(record(), changed(place, value))
    assert named in str(caught.value)


def test_many_differing_fields_are_counted():
    many = record()
    many["config"] = {f"model.field{index}": index for index in range(9)}
    with pytest.raises(ConfigError, match=r"and 6 more fields; compare"):
        regression.check_comparable(record(), many)


@pytest.mark.parametrize("name", ["seed", "report.every", "evaluate.samples", "train.length", "train.keep"])
def test_fields_of_no_weight_for_speed_may_differ(name):
    regression.check_comparable(record(), changed(f"config/{name}", 7))


def test_on_cpu_the_processor_counts():
    ours, other = (changed("environment/backend", "cpu") for _ in range(2))
    other["environment"]["cores"] = 4
    with pytest.raises(ConfigError, match="cores 64 there and 4 here"):
        regression.check_comparable(ours, other)


def test_a_record_is_read_back(tmp_path):
    (tmp_path / "record.json").write_text(json.dumps(record()))
    assert regression.read(tmp_path / "record.json") == record()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no record of gan-jax bench"),
        ("[1]", "is no record of gan-jax bench"),
        ("\xff", "is no record of gan-jax bench"),
        ('{"format": 1, "unit": "devices", "weak": []}', "is no record of gan-jax bench"),
        (json.dumps({**record(), "format": 2}), "is of format 2, and this version reads format 1: measure it anew"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_record_is_a_sentence(tmp_path, content, message):
    if content is not None:
        (tmp_path / "record.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=message):
        regression.read(tmp_path / "record.json")
