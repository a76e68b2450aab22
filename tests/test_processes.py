"""Processes of their own on this machine: what each is given, and that none is left. A script stands in for Python."""

import contextlib
import sys
import time

import pytest

from gan_jax import processes
from gan_jax.errors import ConfigError, UserError

TELLS = """#!/bin/bash
me=${*: -1}
echo "$$" >"$NOTES/pid${me##*=}"
env | grep -iE '^(XLA_FLAGS|CUDA_VISIBLE_DEVICES|.*_proxy)=' | sort >"$NOTES/env${me##*=}"
echo "$*"
"""
FAILS = """
if [ "$me" = --process=1 ]; then echo "gan-jax: not so" >&2; exit 2; fi
sleep 60 &
echo "$!" >"$NOTES/left"
wait
"""


@pytest.fixture
def python(monkeypatch, tmp_path):
    """Makes a script of the text, which is run instead of Python; returns the folder where it may leave notes."""

    def make(text: str):
        (tmp_path / "python").write_text(text)
        (tmp_path / "python").chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        monkeypatch.setenv("NOTES", str(tmp_path))
        monkeypatch.setenv("XLA_FLAGS", "--xla_a=1 --xla_force_host_platform_device_count=4")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("visible", "given"), [(None, "0,1,2"), ("7,GPU-5,3,1", "7,GPU-5,3"), ("", "")], ids=["all", "some", "none"]
)
def test_one_process_gets_the_first_devices(python, monkeypatch, visible, given):
    notes = python(TELLS)
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setenv("https_proxy", "kept")
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert processes.run(["bench", "--x=end"], devices=3) == "-m gan_jax.main bench --x=end\n"
    lines = (notes / "envend").read_text().splitlines()
    assert f"CUDA_VISIBLE_DEVICES={given}" in lines
    assert "XLA_FLAGS=--xla_a=1 --xla_force_host_platform_device_count=3" in lines
    assert "https_proxy=kept" in lines


def test_several_processes_find_each_other_and_get_a_device_each(python, monkeypatch):
    notes = python(TELLS)
    monkeypatch.setenv("https_proxy", "in the way")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    said = processes.run(["bench"], processes=2)
    assert said.startswith("-m gan_jax.main bench --coordinator=localhost:")
    assert said.endswith(" --processes=2 --process=0\n")
    for index in range(2):
        lines = (notes / f"env{index}").read_text().splitlines()
        assert lines == [
            f"CUDA_VISIBLE_DEVICES={index}",
            "XLA_FLAGS=--xla_a=1 --xla_force_host_platform_device_count=1",
        ]


def test_fewer_gpus_than_are_asked_for_are_refused(python, monkeypatch):
    """A process without one would go on on the CPU and say nothing."""
    notes = python(TELLS)
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    for words in ({"devices": 3}, {"processes": 3}):
        with pytest.raises(ConfigError, match="CUDA_VISIBLE_DEVICES is '0,1', which does not name the 3 GPUs"):
            processes.run(["bench", "--x=end"], **words)
    assert not (notes / "envend").exists()


@pytest.mark.parametrize(("name", "value"), [("CUDA_VISIBLE_DEVICES", "-1"), ("JAX_PLATFORMS", "cpu")])
def test_on_the_cpu_devices_are_simulated_whatever_the_gpus(monkeypatch, name, value):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv(name, value)
    variables = processes.environment(range(2, 4))
    assert variables["CUDA_VISIBLE_DEVICES"] == ""
    assert variables["XLA_FLAGS"].endswith("device_count=2")


def test_when_one_fails_its_sentence_is_told_and_the_others_end(python):
    notes = python(TELLS + FAILS)
    started = time.monotonic()
    with pytest.raises(ConfigError, match="^not so$"):
        processes.run(["bench"], processes=2)
    assert time.monotonic() - started < 20
    pids = [int(file.read_text()) for name in ("pid*", "left") for file in notes.glob(name)]
    for _ in range(100):
        if not any(alive(pid) for pid in pids):
            break
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as status:
        return status.read().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_failure_without_a_sentence_shows_the_last_line(python):
    python("#!/bin/bash\necho one >&2\necho two >&2\nexit 134\n")
    with pytest.raises(UserError, match="^a process ended with exit code 134: two$") as caught:
        processes.run(["bench"])
    assert not isinstance(caught.value, ConfigError)


def test_sigterm_ends_them_all(python):
    notes = python(TELLS + 'kill -TERM "$PPID"\nsleep 60\n')
    with pytest.raises(KeyboardInterrupt):
        processes.run(["bench", "--x=end"])
    assert not alive(int((notes / "pidend").read_text()))
