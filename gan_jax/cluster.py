"""Several processes as one run: how they join, agree and leave. One process needs none of it.

All processes run the same program on parts of the same arrays (`jax.distributed`, XLA collectives). There is no
elasticity: where one is lost all end, and the scheduler starts all again, from the newest checkpoint.
"""

import json
import os
import sys
import time
from typing import NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from gan_jax import config as configs
from gan_jax.errors import ConfigError, LostError

DETECTED = ("auto", "slurm", "k8s", "mpi4py")
START, HEARTBEAT, SHUTDOWN = 600, 60, 60  # seconds that processes wait to begin, without a sign, and to end
_heartbeat = HEARTBEAT  # of the run that this process has joined, beside what jax keeps of it


def join(
    cluster: str | None,
    coordinator: str | None,
    processes: int | None,
    process: int | None,
    timeouts: tuple[int, ...] = (),
) -> None:
    """Joins the other processes of the run, before anything uses a device; does nothing if nothing is asked for.

    Args:
        cluster: "auto" (Cloud TPU, Slurm, Kubernetes and Open MPI tell who is who), or one of `DETECTED`.
        coordinator, processes, process: elsewhere: HOST:PORT of the first process, how many there are, which this is.
        timeouts: instead of START, HEARTBEAT and SHUTDOWN.

    Raises:
        ConfigError: the arguments do not go together, or no cluster is found.
        LostError: one is found, but its first process has no address within START, or it cannot be asked who is who.
            Where one of the processes does not come, jax ends this one instead, with the same exit code.
    """
    explicit = (coordinator, processes, process)
    if cluster is None and explicit == (None, None, None):
        return
    if cluster is not None and explicit != (None, None, None):
        raise ConfigError(f"--cluster={cluster} beside --coordinator, --processes or --process: give one or the others")
    if cluster is None:
        if None in explicit:
            raise ConfigError("--coordinator=HOST:PORT, --processes=N and --process=I go together: give all three")
        if not 0 <= process < processes:
            raise ConfigError(f"--process is {process} of --processes={processes}: expected 0 to {processes - 1}")
    elif cluster not in DETECTED:
        raise ConfigError(f"--cluster is {cluster!r}: expected one of {', '.join(DETECTED)}")
    global _heartbeat
    start, _heartbeat, shutdown = timeouts or (START, HEARTBEAT, SHUTDOWN)
    limits = {
        "initialization_timeout": start,
        "heartbeat_timeout_seconds": _heartbeat,
        "shutdown_timeout_seconds": shutdown,
    }
    try:
        if cluster is None:
            jax.distributed.initialize(coordinator, processes, process, **limits)
        else:
            jax.distributed.initialize(cluster_detection_method=None if cluster == "auto" else cluster, **limits)
    except (ValueError, RuntimeError) as error:
        kind = ConfigError if isinstance(error, ValueError) else LostError
        reason = " ".join(str(error).split())[:300]
        raise kind(
            f"the processes cannot join ({reason}): see that all were started alike, or name --coordinator=HOST:PORT, "
            "--processes=N and --process=I"
        ) from error


def is_first() -> bool:
    """Whether this process writes what a run writes once."""
    return jax.process_index() == 0


def check_alike(config: ConfigDict) -> None:
    """Raises ConfigError in all processes if their configs, or the data that these name, differ; all wait for all."""
    if jax.process_count() == 1:
        return
    own = np.frombuffer(configs.to_json(config).encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.int32(len(own)))
    every = multihost_utils.process_allgather(np.pad(own, (0, int(lengths.max()) - len(own))))
    texts = [bytes(row[:length]).decode() for row, length in zip(every, lengths, strict=True)]
    for process, text in enumerate(texts):
        if text != texts[0]:
            first, other = (configs.flat(ConfigDict(json.loads(text))) for text in (texts[0], text))
            field = next(name for name in sorted(first.keys() | other.keys()) if first.get(name) != other.get(name))
            raise ConfigError(
                f"config.{field} is {other.get(field)!r} in process {process} but {first.get(field)!r} in process 0: start "
                "all processes with one config, on the same data"
            )


def wait_if_alone(error: Exception) -> None:
    """After a collective that failed: if another process was lost, jax ends this one meanwhile, with exit code 134."""
    if jax.distributed.is_initialized() and isinstance(error, jax.errors.JaxRuntimeError):
        time.sleep(_heartbeat + 15)


def leave(code: int) -> NoReturn:
    """Ends this process. Of several it does so at once: an ordinary exit would wait for the others, which wait for it."""
    if jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
