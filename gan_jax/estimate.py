"""How long a compiled step may take on hardware that is not there: named terms, each with its assumption.

Two sums of the terms bound the estimate: where everything overlaps, the longest term decides; where nothing does, they
add up. Nothing here was measured.
"""

import dataclasses

from gan_jax.collectives import Collective
from gan_jax.topology import Target

# Of the peak of the data sheet. Measure it on the hardware: `gan-jax bench` prints it.
SHARE = 0.4
LATENCY = 20e-6  # seconds that a collective takes whatever its size


@dataclasses.dataclass(frozen=True)
class Terms:
    """Seconds of one step.

    Attributes:
        compute: the operations at an assumed share of the peak.
        memory: the traffic at the full bandwidth of the data sheet.
        links: the collectives' bytes at the full bandwidth of the links.
        latency: the number of collectives at an assumed time for each.
    """

    compute: float = 0.0
    memory: float = 0.0
    links: float = 0.0
    latency: float = 0.0

    @property
    def overlapped(self) -> float:
        return max(dataclasses.astuple(self))

    @property
    def serial(self) -> float:
        return sum(dataclasses.astuple(self))

    def __add__(self, other: "Terms") -> "Terms":
        return Terms(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    def __mul__(self, factor: float) -> "Terms":
        return Terms(*(term * factor for term in dataclasses.astuple(self)))


def terms(
    target: Target, dtype: str, operations: float, traffic: float, collectives: list[Collective], share: float
) -> Terms | None:
    """Seconds of a step on one of a target's devices; None where nobody says what the device can do.

    Args:
        operations, traffic: of one device.
        dtype: of the networks' convolutions.
        share: of the peak that the operations run at.
    """
    device, peak = target.device, target.device.peak(dtype)
    if peak is None:
        return None
    return Terms(
        compute=operations / (share * peak),
        memory=traffic / device.bandwidth,
        links=sum(c.times * seconds(target, c) for c in collectives),
        latency=LATENCY * sum(c.times for c in collectives),
    )


def seconds(target: Target, collective: Collective) -> float:
    """Of one collective's bytes: around the rings of a TPU's slice, or within the hosts of GPUs, then between them.

    In a group of n devices each sends (n - 1)/n of the bytes, twice for an all-reduce. Between hosts every device
    sends its share of what its host has reduced. In a permutation each sends all to one other, on a TPU over one link,
    as to a neighbour.
    """
    device, size, group, hosts = target.device, collective.bytes, collective.group, collective.hosts
    if group == 1:
        return 0.0
    if collective.kind == "collective-permute":
        return size / (device.link if hosts == 1 else device.network)
    if target.platform == "tpu":
        return collective.passes * size * (group - 1) / group / (device.link * max(target.links(), 1))
    together = group / hosts
    within = size * (together - 1) / together / device.link
    between = size / together * (hosts - 1) / hosts / device.network
    return collective.passes * (within + between)


def assumptions(target: Target, dtype: str, share: float) -> dict[str, str]:
    """In words, by term."""
    device = target.device
    peak = device.peak(dtype) / 1e12
    if target.platform == "tpu":
        busy = target.links()
        links = f"{busy} links of {device.link / 1e9:.0f} GB/s busy at each chip (axes {target.words.split(':')[2]})"
    else:
        links = f"{device.link / 1e9:.0f} GB/s within a host"
        links += (
            f", {device.network / 1e9:.0f} GB/s for each GPU between {target.hosts} hosts" if target.hosts > 1 else ""
        )
    return {
        "compute": f"{share:.0%} of {peak:,.0f} TFLOP/s ({dtype}); an assumption, not a measurement",
        "memory": f"every instruction's operands and results once, at {device.bandwidth / 1e9:,.0f} GB/s",
        "links": f"full bandwidth: {links}",
        "latency": f"{LATENCY * 1e6:.0f} us for each collective; an assumption",
    }
