"""How a process joins others and what it does without them; jax's part in it is played by stand-ins."""

import jax
import pytest

from gan_jax import cluster


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
