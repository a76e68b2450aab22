"""The text of a compiled program (XLA's HLO): its instructions, how often each runs, and the memory they touch.

A loop's body stands in the text once; its instructions count as often as the loop runs, which the compiler for GPUs and
CPUs writes beside the loop and which elsewhere is the constant that its condition compares the counter with.
"""

import dataclasses
import functools
import math
import re
from collections import defaultdict
from collections.abc import Iterator

_BITS = {"pred": 8, "token": 0, "opaque": 0, "c64": 64, "c128": 128}
_ARRAY = re.compile(r"([a-z]\w*)\[([\d,<=]*)\](\{[^}]*\})?")
_COMPUTATION = re.compile(r"(ENTRY )?(%?[\w.\-]+) .*-> .*\{$")
_CALLED = re.compile(r"(calls|to_apply|true_computation|false_computation)=(%?[\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
# What moves no data itself: names for what is there, and what runs other computations, which count.
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id"}
_FREE |= {"while", "conditional", "call", "async"}
_PARTS = {"dynamic-slice", "slice", "gather"}  # read no more than they result in
_IN_PLACE = {"dynamic-update-slice", "scatter"}  # touch what they change


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line: `%name = RESULT opcode(OPERANDS), ATTRIBUTES`, with the shapes as text."""

    name: str
    result: str
    opcode: str
    operands: str
    attributes: str

    @functools.cached_property
    def operand_names(self) -> list[str]:
        return re.findall(r"%[\w.\-]+", self.operands)


@dataclasses.dataclass(frozen=True)
class Program:
    """Computations by name, of which one is the entry."""

    computations: dict[str, list[Instruction]]
    entry: str

    @functools.cached_property
    def times(self) -> dict[str, int]:
        """How often each computation runs; one inside a fusion as often as the fusion."""
        times: dict[str, int] = defaultdict(int)

        def visit(name: str, count: int) -> None:
            times[name] += count
            for instruction in self.computations[name]:
                for called, trips in self._calls(instruction):
                    visit(called, count * trips)

        visit(self.entry, 1)
        return times

    @functools.cached_property
    def loops(self) -> list[int | None]:
        """How often each loop goes round; None where nobody says, and its body counts as if it ran once."""
        running = (i for name in self.times for i in self.computations[name] if i.opcode == "while")
        return [self._trips(instruction) for instruction in running]

    @functools.cached_property
    def fused(self) -> set[str]:
        """Computations inside fusions and reductions, whose instructions touch no memory themselves."""
        inside = set()
        for instructions in self.computations.values():
            for instruction in instructions:
                if instruction.opcode.removesuffix("-start") not in ("while", "conditional", "call", "async"):
                    inside |= {called for called, _ in self._calls(instruction)}
        return inside

    def _calls(self, instruction: Instruction) -> Iterator[tuple[str, int]]:
        """Computations that an instruction runs, and how often."""
        attributes = instruction.attributes
        if instruction.opcode == "while":
            yield _attribute(attributes, "body"), self._trips(instruction) or 1
        elif not instruction.opcode.endswith(("-done", "-update")):
            yield from ((match[2], 1) for match in _CALLED.finditer(attributes))
            if branches := _BRANCHES.search(attributes):
                yield from ((name, 1) for name in re.findall(r"%?[\w.\-]+", branches[1]))

    def _trips(self, loop: Instruction) -> int | None:
        if known := _TRIPS.search(loop.attributes):
            return int(known[1])
        condition = self.computations[_attribute(loop.attributes, "condition")]
        constants = {i.name: i.operands for i in condition if i.opcode == "constant"}
        for instruction in condition:
            if instruction.opcode == "compare" and "direction=LT" in instruction.attributes:
                bounds = [constants[name] for name in instruction.operand_names if name in constants]
                return int(bounds[0]) if bounds else None
        return None


def parse(text: str) -> Program:
    """The program of `compiled.as_text()`."""
    computations: dict[str, list[Instruction]] = {}
    entry, current = "", []
    for line in text.splitlines():
        if not line.startswith(" "):
            if match := _COMPUTATION.fullmatch(line):
                current = computations[match[2]] = []
                entry = match[2] if match[1] else entry
        elif instruction := _instruction(line):
            current.append(instruction)
    return Program(computations, entry)


def _instruction(line: str) -> Instruction | None:
    name, equals, rest = line.strip().removeprefix("ROOT ").partition(" = ")
    if not equals:
        return None
    end = _closing(rest, 0) if rest.startswith("(") else rest.index(" ") - 1
    result, call = rest[: end + 1], rest[end + 2 :]
    opcode, _, _ = call.partition("(")
    close = _closing(call, len(opcode))
    return Instruction(name, result, opcode, call[len(opcode) + 1 : close], call[close + 1 :])


def _closing(text: str, start: int) -> int:
    """Where the parenthesis that opens at `start` closes."""
    depth = 0
    for match in re.compile(r"[()]").finditer(text, start):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.start()
    return len(text)


def elements(shape: str) -> list[str]:
    """The elements of a tuple's shape; a list of one for an array."""
    if not shape.startswith("("):
        return [shape]
    parts, depth, start = [], 0, 1
    for match in re.finditer(r"[(){}\[\],]", shape[:-1]):
        depth += {"(": 1, "{": 1, "[": 1, ",": 0}.get(match[0], -1)
        if match[0] == "," and depth == 1:
            parts.append(shape[start : match.start()])
            start = match.end()
    return [re.sub(r"/\*.*?\*/", "", part).strip() for part in [*parts, shape[start:-1]]]


def size(shape: str, main: bool = False) -> int:
    """Bytes of an array or tuple; with `main` as it lies in main memory.

    There its tiles are padded, and a layout's S(1) and up are memories on the chip, which count nothing.
    """
    total = 0
    for dtype, dimensions, layout in _ARRAY.findall(shape):
        lengths = [int(length.lstrip("<=")) for length in dimensions.split(",") if length]
        if main and re.search(r"S\([1-9]", layout):
            continue
        total += _bits(dtype) * math.prod(_padded(lengths, layout) if main else lengths)
    return -(-total // 8)


def _padded(lengths: list[int], layout: str) -> list[int]:
    """Lengths of an array with its tiles filled: those of {1,0:T(8,128)} to multiples of 8 and 128."""
    lengths, tile = list(lengths), re.search(r"T\(([\d,]+)\)", layout)
    if tile:
        axes = re.findall(r"\d+", layout.partition(":")[0])  # the one that varies fastest first
        for axis, multiple in zip(axes, reversed(tile[1].split(",")), strict=False):
            lengths[int(axis)] = -(-lengths[int(axis)] // int(multiple)) * int(multiple)
    return lengths


def _bits(dtype: str) -> int:
    found = re.search(r"\d+", dtype)
    return _BITS[dtype] if dtype in _BITS or not found else int(found[0])


def traffic(program: Program) -> int:
    """Bytes that one run reads from main memory and writes to it: operands and results of all instructions.

    A fusion counts as one instruction. That is too much where a cache holds an operand, or a fusion reads only a part.
    """
    total = 0
    for name, times in program.times.items():
        if name not in program.fused:
            shapes = {i.name: i.result for i in program.computations[name]}
            total += times * sum(_touched(i, shapes) for i in program.computations[name])
    return total


def _touched(instruction: Instruction, shapes: dict[str, str]) -> int:
    """Bytes of main memory that an instruction reads and writes.

    Of the two halves of an asynchronous one the first reads the operands and the second writes the result: that of the
    first is a tuple that names the operands again.

    Args:
        shapes: of the results of its computation, by name.
    """
    opcode, half = re.fullmatch(r"(.+?)(?:-(start|update|done))?", instruction.opcode).groups()
    if opcode in _FREE or half == "update":
        return 0
    operands = [size(shapes.get(name, ""), main=True) for name in instruction.operand_names]
    if opcode in _IN_PLACE:
        return 0 if half == "done" else 2 * sum(operands[1:])
    written = 0 if half == "start" else size(instruction.result, main=True)
    if half == "done":
        return written
    if opcode in _PARTS:
        part = elements(instruction.result)[1] if half else instruction.result
        return written + min(operands[0], size(re.sub(r"S\(\d+\)", "", part), main=True))
    return written + sum(operands)


def _attribute(attributes: str, name: str) -> str:
    return re.search(rf"\b{name}=(%?[\w.\-]+)", attributes)[1]
