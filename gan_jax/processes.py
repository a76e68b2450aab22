"""Commands of gan-jax in processes of their own on this machine: JAX has as many devices as it finds when it starts."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gan_jax.errors import ConfigError, UserError

_SENTENCE = "gan-jax: "
_SIMULATED = "--xla_force_host_platform_device_count"


def run(words: Sequence[str], devices: int = 1, processes: int = 1) -> str:
    """Runs a command and returns what its first process prints.

    Each process gets devices of its own: the next ones of the GPUs that CUDA_VISIBLE_DEVICES names, or of all; on CPU
    simulated ones, which share the cores. Whatever ends this, none of the processes is left behind.

    Args:
        words: of the command, without `gan-jax`.
        devices: of each process.
        processes: how many; several are joined as by `--coordinator`, `--processes` and `--process`.

    Raises:
        ConfigError: there are not as many GPUs, see `environment`.
        UserError: one of them fails; of class ConfigError if it says so. The message is its own.
    """
    coordinator = f"--coordinator=localhost:{free_port()}"
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    started: list[subprocess.Popen] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for index in range(processes):
                joined = [coordinator, f"--processes={processes}", f"--process={index}"] if processes > 1 else []
                with (Path(folder) / f"out{index}").open("w") as out, (Path(folder) / f"log{index}").open("w") as log:
                    started.append(
                        subprocess.Popen(
                            [sys.executable, "-m", "gan_jax.main", *words, *joined],
                            env=environment(range(index * devices, (index + 1) * devices), processes > 1),
                            stdin=subprocess.DEVNULL,
                            stdout=out,
                            stderr=log,
                            start_new_session=True,
                        )
                    )
            failed = _wait(started)
        finally:
            for process in started:
                with contextlib.suppress(ProcessLookupError):  # it ended, and so did those that read data for it
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            signal.signal(signal.SIGTERM, before)
        if failed is not None:
            _fail(started[failed].returncode, (Path(folder) / f"log{failed}").read_text())
        return (Path(folder) / "out0").read_text()


def environment(chosen: range, of_several: bool = False) -> dict[str, str]:
    """The variables of a process that gets these of the devices; one of several that are joined reaches them directly.

    Where CUDA_VISIBLE_DEVICES is not set, how many GPUs there are cannot be known without starting CUDA: a process that
    is given one that is not there runs on the CPU, as its record then says.

    Raises:
        ConfigError: CUDA_VISIBLE_DEVICES names some GPUs, but fewer than are chosen.
    """
    gpus = _named_gpus(chosen.stop)
    flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(_SIMULATED)]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (of_several and name.lower().endswith("_proxy"))  # a proxy knows no way to this machine
    }
    return kept | {
        "XLA_FLAGS": " ".join([*flags, f"{_SIMULATED}={len(chosen)}"]),
        "CUDA_VISIBLE_DEVICES": ",".join(gpus[chosen.start : chosen.stop]),
    }


def _named_gpus(wanted: int) -> list[str]:
    """What CUDA_VISIBLE_DEVICES names, or as many numbers as are wanted; none where it hides all, or the CPU is asked for."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(index) for index in range(wanted)]
    if named in ("", "-1") or os.environ.get("JAX_PLATFORMS") == "cpu":
        return []
    gpus = named.split(",")
    if len(gpus) < wanted:
        raise ConfigError(
            f"CUDA_VISIBLE_DEVICES is {named!r}, which does not name the {wanted} GPUs that are asked for: name as many, "
            "unset it, or set JAX_PLATFORMS=cpu for simulated devices"
        )
    return gpus


def said(log: str) -> str:
    """The sentence with which a command ended, of all that it printed on stderr; "" where it did not end with one."""
    sentences = [line for line in log.splitlines() if line.startswith(_SENTENCE)]
    return sentences[-1].removeprefix(_SENTENCE) if sentences else ""


def free_port() -> int:
    """Of this machine, for a coordinator."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def _wait(processes: Sequence[subprocess.Popen]) -> int | None:
    """Until all have ended well, or one has failed: which."""
    while True:
        codes = [process.poll() for process in processes]
        for index, code in enumerate(codes):
            if code:
                return index
        if None not in codes:
            return None
        time.sleep(0.05)


def _fail(code: int, log: str) -> NoReturn:
    last = (log.strip().splitlines() or ["it said nothing"])[-1]
    kind = ConfigError if code == ConfigError.exit_code else UserError
    raise kind(said(log) or f"a process ended with exit code {code}: {last[:300]}")
