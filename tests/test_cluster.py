"""How a process joins others and what it does without them; jax's part in it is played by stand-ins."""

import jax
import pytest

from gan_jax import cluster
from gan_jax.errors import ConfigError, LostError


@pytest.fixture
def joined(monkeypatch):
    """Makes this process one of two, with such timeouts."""

    def join(timeouts):
        cluster.join(None, "localhost:1", 2, 0, timeouts)

    monkeypatch.setattr(jax.distributed, "initialize", lambda *words, **limits: None)
    monkeypatch.setattr(jax.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(cluster, "_heartbeat", None)
    return join


@pytest.mark.parametrize(("timeouts", "heartbeat"), [((1, 200, 2), 200), ((1, 5, 2), 5), ((), cluster.HEARTBEAT)])
def test_after_a_failed_collective_jax_has_the_time_to_miss_the_other_process(joined, monkeypatch, timeouts, heartbeat):
    """Which it does after the heartbeat that was chosen, and little later this process would end by itself."""
    slept = []
    monkeypatch.setattr(cluster.time, "sleep", slept.append)
    joined(timeouts)
    cluster.wait_if_alone(jax.errors.JaxRuntimeError("Gloo AllGather failed: Connection reset"))
    (seconds,) = slept
    assert heartbeat + 10 <= seconds <= heartbeat + 30
    cluster.wait_if_alone(ValueError("of this process alone"))
    assert slept == [seconds]


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (RuntimeError("Failed to recognize coordinator address gan-jax-train-0-0"), LostError, 134),
        (ValueError("coordinator_address should be defined."), ConfigError, 2),
    ],
)
def test_a_host_that_is_late_is_no_mistake_of_the_command(monkeypatch, raised, kind, code):
    """The JobSets start all again after 134, as where jax itself finds that a process does not come; never after 2."""

    def initialize(**limits):
        raise raised

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    with pytest.raises(kind, match=f"the processes cannot join .{raised}") as caught:
        cluster.join("auto", None, None, None)
    assert caught.value.exit_code == code
