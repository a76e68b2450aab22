"""The record of `gan-jax plan` for people."""

from typing import Any


def as_text(record: dict[str, Any]) -> str:
    """The record for people."""
    target, config, work, times = (record[name] for name in ("target", "config", "work", "time"))
    parts = "" if config["microbatches"] == 1 else f" in {config['microbatches']} microbatches"
    lines = [
        f"{config['recipe']}, batch {config['batch_size']:,}{parts}, {config['precision']}, on {target['devices']} x "
        f"{target['name']} ({target['words']}), jax {record['environment']['packages']['jax']}",
        *map(_variant_line, work["variants"]),
        *map(_memory_line, record["tried"]),
        *record["advice"],
        f"{work['operations_per_image'] / 1e9:,.3f} GFLOP per image{_other_count(work)}",
        *(f"{c['count']:,.4g} {kind} a step of {size(c['bytes'])} in all" for kind, c in work["collectives"].items()),
    ]
    if floor := work["least"]:
        lines.append(
            f"{floor['count']:,.4g} all-reduce of {size(floor['bytes'])} are the least: gradients once for each update, "
            "moments of every batch normalisation"
        )
    if once := work["loops_counted_once"]:
        lines.append(f"{once} loops of unknown length count as if they went round once: work and collectives are more")
    if times is None:
        reason = "this step does not fit" if record["memory"]["fits"] is False else target["assumed"]
        return "\n".join([*lines, f"no times: {reason}"])
    lines += [
        f"{name:>8} {value * 1e3:>9,.2f} ms  {times['assumptions'][name]}" for name, value in times["terms"].items()
    ]
    step, rate, days, hours = (times[name] for name in ("step_seconds", "images_per_second", "days", "chip_hours"))
    return "\n".join(
        [
            *lines,
            f"estimate: {_range(1e3 * t for t in step)} ms a step if all that overlaps .. if nothing does, "
            f"{_range(rate)} images/s",
            f"{config['length']}: {_duration(days)}, {_range(hours)} chip-hours",
        ]
    )


def _variant_line(variant: dict[str, Any]) -> str:
    phases = " + ".join(f"{n} x {name}" if n > 1 else name for name, n in variant["phases"].items())
    seconds = variant.get("compile_seconds")
    how = f"compiled in {seconds:,.0f} s" if seconds is not None else "not compiled"
    return f"stage {variant['stage']}, {variant['steps']:,} steps of {phases or 'nothing'}: {how}"


def _memory_line(memory: dict[str, Any]) -> str:
    text = (
        f"{size(memory['arguments'])} arguments + {size(memory['temporaries'])} temporaries + "
        f"{size(memory['code'])} program = {size(memory['needed'])} a device"
    )
    if memory["capacity"]:
        text += f" of {size(memory['capacity'])}: "
        text += f"{memory['free_share']:.1%} are free" if memory["fits"] else "it does not fit"
        if not memory["fits"] and memory["usable"] < memory["capacity"]:
            text += f" in the {size(memory['usable'])} that JAX can take"
    return text + f" (microbatches: {memory['microbatches']})"


def _other_count(work: dict[str, Any]) -> str:
    if (ratio := work["compiler_over_analytic"]) is None:
        return ""
    return f"; the compiler counts {ratio:.3f} of it" + (", bodies of loops once" if work["loops"] else "")


def size(size: float) -> str:
    """Bytes in decimal units."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:,.4g} {unit}"
        size /= 1000
    return f"{size:,.2f} GB"


def _range(bounds) -> str:
    return " .. ".join(f"{bound:,.4g}" if bound < 1000 else f"{bound:,.0f}" for bound in bounds)


def _duration(days: list[float]) -> str:
    seconds = [86400 * day for day in days]
    units = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
    unit = next((unit for unit, length in units.items() if max(seconds) >= 2 * length), "seconds")
    return f"{_range(second / units[unit] for second in seconds)} {unit}"
