"""The words of `--target` as devices that need not be there: what the compiler compiles for.

`tpu:v5e:16x16` is a slice by its chips along two axes (v4 and v5p: three), `gpu:h200:1x1x8` are slices x hosts x
devices, `cpu:8` simulated devices. A TPU needs the libtpu of `jax[tpu]`, a GPU the plug-in of `jax[cuda13]`; neither
needs the hardware.
"""

import contextlib
import dataclasses
import math
import os
import re

import jax
from jax.experimental import topologies

from gan_jax import hardware
from gan_jax.errors import ConfigError

_AXES = {"v4": 3, "v5p": 3, "v5e": 2, "v6e": 2}  # of a TPU slice
_EXPECTED = (
    f"tpu:{'|'.join(_AXES)}:AxB or AxBxC, "
    f"gpu:{'|'.join(word.removeprefix('gpu:') for word in hardware.DEVICES if word.startswith('gpu:'))}"
    ":SLICESxHOSTSxDEVICES or cpu:N, such as tpu:v5e:16x16, gpu:h200:1x1x8, cpu:8"
)
# Else libtpu asks a metadata server who it is, complains, and lets no other process compile or train meanwhile.
_WITHOUT_A_TPU = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


@dataclasses.dataclass(frozen=True)
class Target:
    """Devices to compile for.

    Attributes:
        words: what was asked for.
        platform: "tpu", "gpu" or "cpu".
        device: what one of them can do.
        shape: chips along the axes; slices, hosts and devices of a GPU; the number of a CPU's.
        devices: jax's, abstract ones but for a CPU.
    """

    words: str
    platform: str
    device: hardware.Device
    shape: tuple[int, ...]
    devices: tuple[jax.Device, ...]

    @property
    def hosts(self) -> int:
        """Groups of GPUs with the network between them."""
        return math.prod(self.shape[:2]) if self.platform == "gpu" else 1

    @property
    def per_host(self) -> int:
        """Devices without the network between them."""
        return math.prod(self.shape) // self.hosts

    def links(self) -> int:
        """Of a TPU's links, those that a collective over the whole slice keeps busy.

        A closed axis gives a chip two, an open one counts one, as its ends have no more.
        """
        long = [length for length in self.shape if length > 1]
        closed = [length > 2 and length % self.device.ring == 0 for length in long]
        if len(self.shape) == 3 and not all(length % self.device.ring == 0 for length in self.shape):
            closed = [False] * len(long)  # less than a cube
        return sum(2 if ring else 1 for ring in closed)


def open_target(words: str) -> Target:
    """The devices of a target's words. To be called before jax has looked for its own.

    Raises:
        ConfigError: no such target, or its compiler is not installed.
    """
    platform, kind, shape = _parse(words)
    word = f"{platform}:{kind}" if kind else platform
    devices = {"tpu": _tpu, "gpu": _gpu, "cpu": _cpu}[platform](words, kind, shape)
    return Target(words, platform, hardware.DEVICES[word], shape, tuple(devices))


def _parse(words: str) -> tuple[str, str, tuple[int, ...]]:
    match = re.fullmatch(r"(?:(tpu|gpu):(\w+)|(cpu)):(\d+(?:x\d+)*)", words)
    if match:
        platform, kind = match[1] or match[3], match[2] or ""
        shape = tuple(int(number) for number in match[4].split("x"))
        axes = {"tpu": _AXES.get(kind), "gpu": 3, "cpu": 1}[platform]
        if min(shape) and len(shape) == axes and (platform == "cpu" or f"{platform}:{kind}" in hardware.DEVICES):
            return platform, kind, shape
    raise ConfigError(f"--target is {words!r}: expected {_EXPECTED}")


def _tpu(words: str, kind: str, shape: tuple[int, ...]) -> list[jax.Device]:
    for name, value in _WITHOUT_A_TPU.items():
        os.environ.setdefault(name, value)
    options = {"chip_config_name": "megacore"} if kind == "v4" else {}  # its two cores are one device, as on a pod
    if math.prod(shape) == 1:
        options["chips_per_host_bounds"] = (1, 1, 1)
    name = f"{kind}:{'x'.join(map(str, shape))}"
    try:
        return topologies.get_topology_desc(platform="tpu", topology_name=name, **options).devices
    except Exception as error:
        if "not installed" in str(error):
            raise ConfigError(_absent(words, "the TPU compiler (libtpu)", "tpu")) from error
        raise ConfigError(f"--target={words}: libtpu knows no such slice ({_first_line(error)})") from error


def _gpu(words: str, kind: str, shape: tuple[int, ...]) -> list[jax.Device]:
    device = hardware.DEVICES[f"gpu:{kind}"]
    try:
        return topologies.get_topology_desc(
            platform="cuda",
            topology_name="",
            topology="x".join(map(str, shape)),
            target_config=description(device),
        ).devices
    except NotImplementedError as error:
        raise ConfigError(_absent(words, "the GPU compiler (the CUDA plug-in of jax)", "cuda13")) from error


def _cpu(words: str, kind: str, shape: tuple[int, ...]) -> list[jax.Device]:
    with contextlib.suppress(RuntimeError):  # jax has found its devices already
        jax.config.update("jax_num_cpu_devices", shape[0])
    devices = jax.devices("cpu")
    if len(devices) < shape[0]:
        raise ConfigError(
            f"--target={words}, but jax has made {len(devices)} CPU devices already: "
            f"set XLA_FLAGS=--xla_force_host_platform_device_count={shape[0]}"
        )
    return devices[: shape[0]]


def description(device: hardware.Device) -> str:
    """A GPU as XLA's `GpuTargetConfigProto` in text form."""
    gpu = device.gpu
    major, minor = gpu.compute_capability
    return f"""
        gpu_device_info {{
          threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
          block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
          thread_dim_limit_x: 1024 thread_dim_limit_y: 1024 thread_dim_limit_z: 64
          registers_per_core_limit: 65536 registers_per_block_limit: 65536
          shared_memory_per_block: 49152 shared_memory_per_block_optin: {gpu.shared_memory_per_block}
          shared_memory_per_core: {gpu.shared_memory_per_core}
          core_count: {gpu.cores} fpus_per_core: {gpu.fpus_per_core} clock_rate_ghz: {gpu.clock_ghz}
          l2_cache_size: {gpu.l2_cache}
          memory_bandwidth: {int(device.bandwidth)} device_memory_size: {device.memory}
          cuda_compute_capability {{ major: {major} minor: {minor} feature_extension: {gpu.features} }}
        }}
        platform_name: "CUDA"
        dnn_version_info {{ major: 9 minor: 10 }}
        device_description_str: "{gpu.name}"
    """


def _absent(words: str, what: str, extra: str) -> str:
    return (
        f"--target={words} needs {what}, which is not installed: pip install 'jax[{extra}]' (it needs no such hardware)"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
