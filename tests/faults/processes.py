"""Runs of `gan-jax` in several processes on this machine, each with some simulated devices."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from gan_jax.processes import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUTS = "--timeouts=60,10,15"
PLAIN = (
    "--config.report.tensorboard=False",
    "--config.report.every=1 step",
    "--config.evaluate.standing=0",
    "--config.evaluate.metrics=None",
)


RUN = "\nfrom gan_jax.main import run\nrun()\n"


class Cluster:
    """Processes of one training run.

    Args:
        words: of `gan-jax train`, for all of them.
        own: more words, for each of them.
        devices: of each.
        before: Python code that a process runs before the command, by its number: what goes wrong there.
    """

    def __init__(
        self,
        processes: int,
        devices: int,
        words: Sequence[str],
        own: Sequence[Sequence[str]] = (),
        before: Mapping[int, str] = MappingProxyType({}),
    ):
        flags = [
            f"--xla_force_host_platform_device_count={devices}",
            "--xla_backend_optimization_level=0",
            "--xla_llvm_disable_expensive_passes=true",
        ]
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": " ".join(flags), "PYTHONPATH": str(ROOT)}
        port = free_port()
        self.processes = []
        self._lines: list[list[str]] = [[] for _ in range(processes)]
        self._readers = []
        for index in range(processes):
            joined = [f"--coordinator=localhost:{port}", f"--processes={processes}", f"--process={index}", TIMEOUTS]
            program = ["-c", textwrap.dedent(before[index]) + RUN] if index in before else ["-m", "gan_jax.main"]
            command = [sys.executable, *program, "train", *(joined if processes > 1 else ()), *words]
            command += own[index] if own else []
            self.processes.append(
                subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                )
            )
            # All at once: one whose pipe is full waits for somebody to read it, and the others for it.
            given = (self._lines[index], self.processes[index].stderr)
            self._readers.append(threading.Thread(target=list.extend, args=given))
            self._readers[index].start()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_) -> None:
        for process, reader in zip(self.processes, self._readers, strict=True):
            process.kill()
            process.wait()
            reader.join()
            process.stderr.close()

    def said(self, index: int) -> str:
        """What a process has written to its standard error so far."""
        return "".join(self._lines[index])

    def wait(self, seconds: float = 240) -> list[int]:
        """The exit codes, when all have ended."""
        end = time.monotonic() + seconds
        codes = [process.wait(timeout=max(1, end - time.monotonic())) for process in self.processes]
        for reader in self._readers:
            reader.join()
        self.errors = [self.said(index) for index in range(len(codes))]
        return codes

    def signal(self, index: int, number: int = signal.SIGTERM) -> None:
        self.processes[index].send_signal(number)


def wait_for(condition, seconds: float = 180) -> None:
    """Returns when the condition is true.

    Raises:
        AssertionError: it does not come true in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.1)
