"""Which devices take part in a collective, as XLA's text names them."""

import itertools
import math
import re

import numpy as np

Groups = list[list[int]]  # devices of each group, by their number in the mesh
_TURNS = r"\[[\d,]+\](?:T\([\d,]+\))?"
_LISTS = re.compile(r"\{((?:\{[\d,]+\},?)+)\}")
_IN_TURN = re.compile(rf"\[(\d+),(\d+)\]<=({_TURNS})")
_AXES = re.compile(rf"mesh\[([^\]]*)\](?:, device_ids=\(({_TURNS}|[\d,]+)\))? \{{([^}}]*)\}}")


def parse(attributes: str, devices: int) -> Groups:
    """The groups of a collective among so many devices, from the attributes of its line.

    They are written in one of these ways; none at all are one group of all devices.

        {{0,1},{2,3}}                       lists; so are the senders and receivers of a permutation
        [4,2]<=[2,4]T(1,0)                  rows of the numbers in turn, here of two rows of four, transposed
        mesh['a'=2,'b'=8] {'a','b':(2)4}    along axes of a mesh, or factors of axes: (2)4 is the one of length 4 after one
                                            of length 2; device_ids=(...) before the brace says how the mesh is numbered
    """
    text = re.split(r"\b(?:replica_groups|source_target_pairs)=", attributes)[-1]
    if lists := _LISTS.match(text):
        return [_integers(group) for group in re.findall(r"\{([\d,]+)\}", lists[1])]
    if turns := _IN_TURN.match(text):
        return _numbers(turns[3]).reshape(int(turns[1]), int(turns[2])).tolist()
    if axes := _AXES.match(text):
        lengths = {name: int(length) for name, length in re.findall(r"'([^']+)'=(\d+)", axes[1])}
        numbers = _numbers(axes[2] or f"[{math.prod(lengths.values())}]")
        return _by_axes(numbers, lengths, re.findall(r"'([^']+)'(?::\((\d+)\)(\d+))?", axes[3]))
    return [list(range(devices))]


def _by_axes(numbers: np.ndarray, lengths: dict[str, int], references: list[tuple[str, str, str]]) -> Groups:
    """Devices whose places differ only along the axes, or factors of axes, that are referred to.

    Args:
        numbers: of the devices of a mesh.
        lengths: of its axes.
        references: name of an axis, length of the factors before one, and its own; both empty for a whole axis.
    """
    factors, chosen = [], []
    for axis, length in lengths.items():
        parts = [(int(before or 1), int(own or length)) for name, before, own in references if name == axis]
        ranges = [(before, before * own) for before, own in parts]
        for low, high in itertools.pairwise(sorted({1, length, *itertools.chain.from_iterable(ranges)})):
            if any(first <= low and high <= last for first, last in ranges):
                chosen.append(len(factors))
            factors.append(high // low)
    together = math.prod(factors[axis] for axis in chosen)
    return np.moveaxis(numbers.reshape(factors), chosen, range(-len(chosen), 0)).reshape(-1, together).tolist()


def _numbers(text: str) -> np.ndarray:
    """Those of [2,4]T(1,0), or of a list."""
    if not text.startswith("["):
        return np.array(_integers(text))
    lengths, _, order = text.strip("[)").partition("]")
    shape = _integers(lengths)
    numbers = np.arange(math.prod(shape)).reshape(shape)
    return numbers.transpose(_integers(order.removeprefix("T("))) if order else numbers


def _integers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]
