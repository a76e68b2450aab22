"""What accelerators can do, by their data sheets: the figures that plans and benchmarks compare with.

Every entry names its source, and what is assumed where no source was found. A peak is that of dense matrix products.
"""

import dataclasses

GB, GIB, TERA = 10**9, 2**30, 10**12
_NVIDIA_ASSUMED = "network: one adapter per GPU, as in NVIDIA's DGX; all GPUs of a host share NVLink, hosts do not"


@dataclasses.dataclass(frozen=True)
class Gpu:
    """What XLA's compiler wants to know of a GPU beside its memory (openxla/xla, target_config/specs)."""

    name: str
    compute_capability: tuple[int, int]
    cores: int
    fpus_per_core: int
    clock_ghz: float
    l2_cache: int
    shared_memory_per_core: int
    shared_memory_per_block: int
    features: str = "ACCELERATED_FEATURES"


@dataclasses.dataclass(frozen=True)
class Device:
    """One chip.

    Attributes:
        name: what people call it.
        kinds: what jax's `device_kind` may be.
        bfloat16: FLOP/s of matrix products in bfloat16; None where nobody says.
        float32: FLOP/s of those in float32 at JAX's default precision, which is a single pass of bfloat16 on a TPU and
            TensorFloat-32 on NVIDIA's.
        memory: bytes that programs can have.
        bandwidth: bytes/s of that memory.
        link: bytes/s in one direction over one link to a neighbouring TPU, or over all NVLinks of a GPU.
        ring: TPU: an axis of chips whose length this divides is closed to a ring; 0 elsewhere.
        network: bytes/s in one direction between hosts, for each chip.
        source: where the figures are from.
        assumed: what is not from there.
        gpu: the compiler's description of a GPU.
    """

    name: str
    kinds: tuple[str, ...]
    bfloat16: float | None = None
    float32: float | None = None
    memory: int | None = None
    bandwidth: float | None = None
    link: float | None = None
    ring: int = 0
    network: float | None = None
    source: str = ""
    assumed: str = ""
    gpu: Gpu | None = None

    def peak(self, dtype: str) -> float | None:
        """FLOP/s of networks that compute in "bfloat16" or "float32"."""
        return {"bfloat16": self.bfloat16, "float32": self.float32}[dtype]


def _tpu(name: str, kinds: tuple[str, ...], tflops: float, memory: float, bandwidth: float, link: float, ring: int):
    """A TPU: memory in GiB, bandwidth and one direction of one link in GB/s."""
    return Device(
        name=f"TPU {name}",
        kinds=kinds,
        bfloat16=tflops * TERA,
        float32=tflops * TERA,
        memory=int(memory * GIB),
        bandwidth=bandwidth * GB,
        link=link * GB,
        ring=ring,
        source=f"docs.cloud.google.com/tpu/docs/{name}; memory: what the compiler of libtpu 0.0.42 allows a program",
        assumed="links: the documented bandwidth of a chip, both directions together, over its ports and by two",
    )


# By the word of `--target` (the platform is part of it).
DEVICES = {
    "tpu:v4": dataclasses.replace(
        _tpu("v4", ("TPU v4",), 275, 30.75, 1200, 50, 4),
        assumed="links: 50 GB/s in one direction; the documented all-reduce bandwidth of a pod is 268 GB/s for each chip",
    ),
    "tpu:v5e": _tpu("v5e", ("TPU v5 lite", "TPU v5e"), 197, 15.75, 819, 400 / 4 / 2, 16),
    "tpu:v5p": _tpu("v5p", ("TPU v5", "TPU v5p"), 459, 95.74, 2765, 1200 / 6 / 2, 4),
    "tpu:v6e": _tpu("v6e", ("TPU v6 lite", "TPU v6e"), 918, 31.25, 1638, 800 / 4 / 2, 16),
    "gpu:a100": Device(
        name="NVIDIA A100 SXM 80 GB",
        kinds=("NVIDIA A100-SXM4-80GB",),
        bfloat16=312 * TERA,
        float32=156 * TERA,
        memory=85_100_068_864,
        bandwidth=2039 * GB,
        link=300 * GB,
        network=25 * GB,
        source="NVIDIA A100 data sheet; memory: XLA's a100_sxm_80",
        assumed=_NVIDIA_ASSUMED,
        gpu=Gpu("NVIDIA A100-SXM4-80GB", (8, 0), 108, 64, 1.41, 41_943_040, 167_936, 166_912, "NONE"),
    ),
    "gpu:h100": Device(
        name="NVIDIA H100 SXM 80 GB",
        kinds=("NVIDIA H100 80GB HBM3",),
        bfloat16=989 * TERA,
        float32=494 * TERA,
        memory=84_942_979_072,
        bandwidth=3350 * GB,
        link=450 * GB,
        network=50 * GB,
        source="NVIDIA H100 data sheet, halved where it counts sparse products; memory: XLA's h100_sxm",
        assumed=_NVIDIA_ASSUMED,
        gpu=Gpu("NVIDIA H100 80GB HBM3", (9, 0), 132, 128, 1.98, 52_428_800, 233_472, 232_448),
    ),
    "gpu:h200": Device(
        name="NVIDIA H200 SXM 141 GB",
        kinds=("NVIDIA H200",),
        bfloat16=989 * TERA,
        float32=494 * TERA,
        memory=151_397_597_184,
        bandwidth=4800 * GB,
        link=450 * GB,
        network=50 * GB,
        source="NVIDIA H200 data sheet, halved where it counts sparse products; memory: XLA's h200",
        assumed=_NVIDIA_ASSUMED,
        gpu=Gpu("NVIDIA H200", (9, 0), 132, 128, 1.98, 52_428_800, 233_472, 232_448),
    ),
    "gpu:b200": Device(
        name="NVIDIA B200 SXM 180 GB",
        kinds=("NVIDIA B200",),
        bfloat16=2250 * TERA,
        float32=1100 * TERA,
        memory=191_514_411_008,
        bandwidth=7672 * GB,
        link=900 * GB,
        network=50 * GB,
        source="NVIDIA Blackwell data sheet for HGX B200 (dense); memory and its bandwidth: XLA's b200",
        assumed=_NVIDIA_ASSUMED,
        gpu=Gpu("NVIDIA B200", (10, 0), 148, 128, 1.965, 132_644_864, 233_472, 232_448),
    ),
    "cpu": Device(name="CPU", kinds=("cpu",), assumed="nothing: a CPU is no accelerator, so no times are estimated"),
}


def of_kind(device_kind: str) -> Device | None:
    """The device that jax calls just so; None for one that is not here.

    Names that only begin alike are of other cards: "NVIDIA H100 PCIe" and "NVIDIA H200 NVL" do less.
    """
    return next((device for device in DEVICES.values() if device_kind in device.kinds), None)
