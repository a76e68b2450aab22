"""Scaling tables: which batches are measured, what speed-up and efficiency are of, and what is not measured at all."""

import json

import pytest

from gan_jax import config as configs
from gan_jax import main, scaling
from gan_jax.errors import ConfigError, UserError

QUICK = "configs/biggan_digits.py:quick"


class Machine:
    """Stands in for `processes.run`: `seconds(devices, batch)` a step, on a machine with so many devices."""

    def __init__(self, seconds, devices: int = 8, backend: str = "gpu"):
        self.seconds, self.devices, self.backend = seconds, devices, backend
        self.asked: list[tuple[int, int]] = []

    def __call__(self, words, devices=1, processes=1) -> str:
        assert words[:2] == ["bench", "--json"]
        count, batch = devices * processes, int(words[-1].removeprefix("--config.train.batch_size="))
        self.asked.append((count, batch))
        enough = count <= self.devices
        seconds = self.seconds(count, batch)
        record = {
            "environment": {
                "backend": self.backend if enough else "cpu",
                "device": "H200" if enough else "cpu",
                "devices": count,
                "processes": processes,
                "cores": 2,
            },
            "batch_size": batch,
            "real": {
                "steps": 20,
                "step_seconds": seconds,
                "step_seconds_fastest": seconds * 0.9,
                "images_per_second": batch / seconds,
            },
        }
        return f"[Gloo] Rank 0 is connected\n{json.dumps(record)}\n"


def measure(machine, counts, *overrides, unit="devices"):
    return scaling.scaling(configs.load(QUICK, overrides), unit, counts, ["--steps=20"], machine)


def test_weak_and_strong_share_the_smallest_and_are_of_it():
    machine = Machine(lambda devices, batch: 0.01 + 0.001 * batch / devices)
    record = measure(machine, (1, 2, 4))
    assert machine.asked == [(1, 16), (2, 32), (4, 64), (2, 16), (4, 16)]
    assert [row["batch_size"] for row in record["weak"]] == [16, 32, 64]
    assert [row["efficiency"] for row in record["weak"]] == pytest.approx([1, 1, 1])
    assert [row["speed_up"] for row in record["weak"]] == pytest.approx([1, 2, 4])
    assert [row["batch_size"] for row in record["strong"]] == [16, 16, 16]
    assert [row["speed_up"] for row in record["strong"]] == pytest.approx([1, 26 / 18, 26 / 14])
    assert [row["efficiency"] for row in record["strong"]] == pytest.approx([1, 13 / 18, 6.5 / 14])
    assert record["strong"][1]["step_seconds"] == pytest.approx(0.018)
    assert record["strong"][1]["step_seconds_fastest"] == pytest.approx(0.0162)
    assert json.loads(json.dumps(record)) == record
    assert len(record["records"]) == 5


def test_the_smallest_number_has_the_config_s_batch_whatever_it_is():
    machine = Machine(lambda devices, batch: batch / devices)
    record = measure(machine, (2, 4))
    assert machine.asked == [(2, 16), (4, 32), (4, 16)]
    assert [row["efficiency"] for row in record["strong"]] == pytest.approx([1, 1])


def test_numbers_that_do_not_divide_the_batch_have_no_strong_scaling():
    record = measure(Machine(lambda devices, batch: batch), (1, 3, 8), "train.microbatches=4")
    assert [row["count"] for row in record["weak"]] == [1, 3, 8]
    assert [row["count"] for row in record["strong"]] == [1]
    assert "do not divide the batch: 3, 8 devices" in scaling.as_text(record)
    with pytest.raises(ConfigError, match="does not divide over 3 devices, the fewest asked for"):
        measure(Machine(lambda devices, batch: batch), (3, 6))


def test_devices_along_space_do_not_divide_the_batch():
    split = ("mesh.axes=('data','space')", "mesh.shape=(-1,2)", "train.batch_size=2")
    record = measure(Machine(lambda devices, batch: batch), (2, 4, 8), *split)
    assert [row["count"] for row in record["strong"]] == [2, 4]
    rows_only = ("mesh.axes=('data','space')", "mesh.shape=(1,-1)", "train.batch_size=1")
    assert not measure(Machine(lambda devices, batch: batch), (1, 8), *rows_only)["left_out"]


def test_processes_have_one_device_each():
    machine = Machine(lambda devices, batch: batch)
    record = measure(machine, (1, 2), unit="processes")
    assert machine.asked == [(1, 16), (2, 32), (2, 16)]
    assert "processes" in scaling.as_text(record)


def test_only_simulated_devices_are_called_so():
    text = scaling.as_text(measure(Machine(lambda devices, batch: 0.1, backend="cpu"), (1, 2)))
    assert "simulated: all devices share 2 cores" in text
    assert "simulated" not in scaling.as_text(measure(Machine(lambda devices, batch: 0.1), (1, 2)))
    lines = text.splitlines()
    assert lines[3].split() == ["1", "16", "100.0", "90.0", "160.0", "1.00", "100%"]
    assert lines[4].split() == ["2", "32", "100.0", "90.0", "320.0", "2.00", "100%"]


def test_more_than_the_machine_has_is_a_sentence():
    with pytest.raises(UserError, match="4 x H200 were to be measured, but there are 4 x cpu"):
        measure(Machine(lambda devices, batch: batch, devices=2), (1, 2, 4))


def test_a_recipe_with_batches_of_its_own_is_refused():
    machine = Machine(lambda devices, batch: batch)

    def stubborn(words, **of):
        return machine([*words[:-1], "--config.train.batch_size=8"], **of)

    with pytest.raises(ConfigError, match="was to be 16, but the recipe trains on 8"):
        measure(stubborn, (1, 2))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--devices=1,2", "--processes=1,2"], "--processes beside --devices, which measures scaling"),
        (["--devices=1,2", "--data-only"], "--data-only beside --devices"),
        (["--processes=1,2", "--against=x.json"], "--against beside --processes"),
        (["--processes=2", "--coordinator=localhost:1"], "--coordinator beside --processes"),
        (["--processes=1,2", "--process=0"], "--processes names 2 numbers beside --process: expected one"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(words, message):
    with pytest.raises(ConfigError, match=message):
        main.main(["bench", f"--config={QUICK}", *words])


def test_the_command_hands_its_words_on(monkeypatch, capsys):
    seen = []

    def scaled(config, unit, counts, words):
        seen.extend([config.model.G.channels, unit, counts, words])
        return {"weak": []}

    monkeypatch.setattr(scaling, "scaling", scaled)
    words = ["--devices=4,1,2,2", "--steps=7", "--json", "--config.model.G.channels=4"]
    assert main.main(["bench", f"--config={QUICK}", *words]) == 0
    assert seen == [4, "devices", (1, 2, 4), ["--steps=7", "--config.model.G.channels=4", f"--config={QUICK}"]]
    assert json.loads(capsys.readouterr().out) == {"weak": []}


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["devices", "processes"])
def test_scaling_is_measured_in_processes_of_their_own(unit, capsys):
    assert main.main(["bench", f"--config={QUICK}", "--steps=3", f"--{unit}=1,2", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [(row["count"], row["batch_size"]) for row in record["weak"]] == [(1, 16), (2, 32)]
    assert [(row["count"], row["batch_size"]) for row in record["strong"]] == [(1, 16), (2, 16)]
    found = [(bench["environment"]["devices"], bench["environment"]["processes"]) for bench in record["records"]]
    assert found == ([(1, 1), (2, 1), (2, 1)] if unit == "devices" else [(1, 1), (2, 2), (2, 2)])
    assert "simulated" in scaling.as_text(record)
