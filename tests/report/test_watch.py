"""Signs of a collapse: what leaves the range of its own past is told once, what merely wanders is not."""

import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.report.watch import ACTIONS, Settings, Watch, diversity

SECTION = {"window": 30, "patience": 3}


def line(gap=1.0, loss=1.0, norm=5.0, spread=60.0, gradient=2.0):
    return {
        "discriminator/real_logit": gap / 2,
        "discriminator/fake_logit": -gap / 2,
        "discriminator/loss": loss,
        "generator/loss": 0.0,
        "generator/gradient_norm_generator": gradient,
        "spectral_norm/G": norm,
        "diversity": spread,
    }


def alarms(lines, **section):
    watch = Watch(Settings(**SECTION, **section))
    found = ((step, watch.see(step, values)) for step, values in enumerate(lines))
    return [(step, alarm) for step, alarm in found if alarm]


STEADY = [line() for _ in range(20)]


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        ({"gap": 6.0}, "the gap between the logits of discriminator is 6, usually 1"),
        ({"loss": 0.05}, "the loss of discriminator is 0.05, usually 1"),
        ({"norm": 11.0}, "the largest singular value of G is 11, usually 5"),
        ({"spread": 20.0}, "the diversity of the samples is 20, usually 60"),
        ({"gradient": 0.0}, "the gradient of generator in generator is 0, usually 2"),
    ],
)
def test_each_sign_is_told_when_it_has_lasted_with_the_last_step_before_it(change, sign):
    ((step, alarm),) = alarms([*STEADY, *[line(**change)] * 10])
    assert (step, alarm.since, alarm.signs) == (22, 19, (sign,))


@pytest.mark.parametrize(
    "change",
    [{"gap": 4.0}, {"loss": 0.2}, {"norm": 9.0}, {"spread": 35.0}, {"gap": -9.0}, {"norm": 0.1}, {"gradient": 0.01}],
)
def test_what_stays_within_the_range_is_no_sign(change):
    assert not alarms([*STEADY, *[line(**change)] * 10])


def test_a_short_excursion_a_slow_drift_and_the_beginning_are_no_signs():
    assert not alarms([*STEADY, line(gap=50.0), line(gap=50.0), *STEADY])
    assert not alarms([line(norm=1.0 + 0.1 * n, gap=0.5 + 0.05 * n) for n in range(200)])
    assert not alarms([line(loss=1.0)] * 5 + [line(loss=0.01)] * 7)


def test_a_sign_that_went_and_comes_again_is_told_again():
    found = alarms([*STEADY, *[line(gap=9.0)] * 4, *STEADY, *[line(gap=9.0)] * 4])
    assert [step for step, _ in found] == [22, 46]


def test_lines_of_an_earlier_attempt_are_the_past():
    lines = [{"step": step, **values} for step, values in enumerate([*STEADY, line(norm=11.0)])]
    lines[3]["generator/loss"] = None  # was not finite
    watch = Watch(Settings(**SECTION))
    watch.recall(lines)
    assert watch.see(21, line(norm=11.0)) is None
    assert watch.see(22, line(norm=11.0)).since == 19
    assert Watch(Settings(**SECTION)).see(22, line(norm=11.0)) is None
    told = Watch(Settings(**SECTION))
    told.recall([*lines, *({"step": 21 + n, **line(norm=11.0)} for n in range(2))])
    assert told.see(23, line(norm=11.0)) is None  # the attempt before has told it


def test_a_critic_whose_loss_is_negative_is_judged_by_its_gap():
    assert not alarms([*[line(loss=-3.0)] * 20, *[line(loss=-0.1)] * 10])


def test_a_phase_of_several_players_is_judged_by_its_gap():
    several = [{"both/real_logit": gap, "both/fake_logit": 0.0, "both/loss_A": 1.0} for gap in [1.0] * 20 + [9.0] * 3]
    ((_, alarm),) = alarms(several)
    assert alarm.signs == ("the gap between the logits of both is 9, usually 1",)


def test_a_watch_may_be_off():
    assert not alarms([*STEADY, *[line(gap=6.0)] * 10], action="")


def test_an_unknown_action_is_a_sentence():
    assert ACTIONS == ("warn", "roll back", "")
    with pytest.raises(ConfigError, match=r"config\.train\.collapse\.action is 'stop': expected \"warn\""):
        Settings(action="stop")


@pytest.mark.parametrize(("field", "value", "least"), [("window", 9, 10), ("patience", 0, 1)])
def test_a_past_too_short_to_judge_by_is_a_sentence(field, value, least):
    with pytest.raises(ConfigError, match=rf"config\.train\.collapse\.{field} is {value}: expected at least {least}"):
        Settings(**{field: value})


def test_diversity_is_the_spread_of_pixels_over_images():
    same = np.full((5, 4, 4, 1), 9, np.uint8)
    assert diversity(same) == 0.0
    half = np.concatenate([np.zeros((4, 4, 4, 3), np.uint8), np.full((4, 4, 4, 3), 200, np.uint8)])
    assert diversity(half) == pytest.approx(100.0)
