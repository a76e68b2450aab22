"""What a compiled program sends between devices: its collectives by kind, with count, bytes and group."""

import dataclasses
import math
import re
from collections import defaultdict

from gan_jax import hlo

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast")


@dataclasses.dataclass(frozen=True)
class Collective:
    """One collective of a program.

    Attributes:
        kind: one of `KINDS`.
        bytes: of the whole array on one device: what is reduced, what was gathered, what is scattered or exchanged.
        group: devices that take part.
        times: how often it runs, loops multiplied out.
    """

    kind: str
    bytes: int
    group: int
    times: int

    @property
    def passes(self) -> int:
        """How often its bytes go around: an all-reduce scatters sums and gathers them."""
        return 2 if self.kind == "all-reduce" else 1


def find(program: hlo.Program, devices: int) -> list[Collective]:
    """The collectives of a program for so many devices."""
    found = []
    for name, times in program.times.items():
        for instruction in program.computations[name]:
            kind, started = instruction.opcode.removesuffix("-start"), instruction.opcode.endswith("-start")
            if kind in KINDS:
                group = _group(instruction.attributes, devices)
                result = instruction.result
                if started and kind != "all-reduce":  # (operand, result, ...)
                    result = hlo.elements(result)[1]
                whole = hlo.size(result) * (group if kind == "reduce-scatter" else 1)
                found.append(Collective(kind, whole, group, times))
    return found


def by_kind(collectives: list[Collective]) -> dict[str, dict[str, int]]:
    """`{kind: {"count": ..., "bytes": ...}}` of one run."""
    table: dict[str, dict[str, int]] = defaultdict(lambda: {"count": 0, "bytes": 0})
    for collective in collectives:
        table[collective.kind]["count"] += collective.times
        table[collective.kind]["bytes"] += collective.times * collective.bytes
    return dict(table)


def _group(attributes: str, devices: int) -> int:
    """Devices of one group: all, a list {{0,1},{2,3}}, so many of so many [2,4]<=[8], or axes mesh['a'=2,'b'=4] {'b'}."""
    text = attributes.partition("replica_groups=")[2]
    if lists := re.match(r"\{\{([\d,]*)\}", text):
        return lists[1].count(",") + 1
    if shape := re.match(r"\[(\d+),(\d+)\]<=", text):
        return int(shape[2])
    if axes := re.match(r"mesh\[([^\]]*)\]\s*\{([^}]*)\}", text):
        lengths = dict(re.findall(r"'([^']+)'=(\d+)", axes[1]))
        return math.prod(int(lengths[name]) for name in re.findall(r"'([^']+)'", axes[2]))
    return devices
