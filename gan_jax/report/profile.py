"""A trace of chosen steps, for TensorBoard's profile plugin (XProf) and for Perfetto."""

import contextlib
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from etils import epath

from gan_jax.errors import ConfigError, UserError, explained
from gan_jax.report import atomic

Step = Callable[..., tuple[Any, Any]]


def chosen_steps(text: str, total: int) -> range:
    """The steps that `config.report.profile` names, counted from 0; none for "".

    "100:103" is from when 100 steps are done until 103 are: the steps that the log calls 101 to 103.

    Raises:
        ConfigError: the text is no such pair, or training is over before.
    """
    if not text:
        return range(0)
    numbers = re.fullmatch(r"([0-9]+):([0-9]+)", text)
    first, end = map(int, numbers.groups()) if numbers else (0, 0)
    if first >= end:
        raise ConfigError(
            f"config.report.profile is {text!r}: expected FROM:TO with FROM below TO, such as 100:103 for the three steps "
            "after step 100, or nothing for no profile"
        )
    if first >= total:
        raise ConfigError(f"config.report.profile is {text!r}, but step {total} is the last: choose earlier steps")
    return range(first, min(end, total))


class Profile:
    """Traces the chosen steps that are still to come, once; a trace that fails is told and ends nothing.

    Each process writes what its host and its devices do, to profile/plugins/profile/steps_FROM-TO/ in the workdir:
    processI.xplane.pb for XProf, which shows all processes together, and processI.perfetto.json.gz. The trace begins
    when the step before is finished and ends when the last one is; the devices wait there, and nowhere else. If training
    ends within the steps, so does the trace.

    Args:
        workdir: existing folder.
        steps: to trace, see `chosen_steps`.
        first: step at which this process takes over.
        say: told where the trace is, or what went wrong.
    """

    def __init__(self, workdir: epath.Path, steps: range, first: int, say: Callable[[str], None]):
        self._folder, self._say = workdir / "profile", say
        self._steps = range(max(steps.start, first), steps.stop)
        self._place: tempfile.TemporaryDirectory[str] | None = None  # while a trace is under way
        self._traced = range(0)

    def __enter__(self) -> "Profile":
        """Raises UserError if the trace could not be written."""
        if self._steps:
            with explained(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type | None, *_: Any) -> None:
        # What went wrong first counts.
        with contextlib.suppress(UserError) if kind else contextlib.nullcontext():
            self._stop()

    def traced(self, step: Step, number: int) -> Step:
        """The step with this number, traced if it is among the chosen ones."""
        if number not in self._steps:
            return step

        def run(*arguments: Any) -> tuple[Any, Any]:
            if self._place is None:
                jax.block_until_ready(arguments)
                self._start(number)
            self._traced = range(self._traced.start, number + 1)
            with jax.profiler.StepTraceAnnotation("train", step_num=number + 1):
                results = step(*arguments)
            if number + 1 == self._steps.stop:
                jax.block_until_ready(results)
                self._stop()
            return results

        return run

    def _start(self, number: int) -> None:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0  # every call of a Python function would be too much to write and to read
        try:
            place = tempfile.TemporaryDirectory()
            jax.profiler.start_trace(place.name, create_perfetto_trace=True, profiler_options=options)
        except Exception as error:  # jaxlib has exceptions of its own
            self._fail(error)
            return
        self._place, self._traced = place, range(number, number)

    def _stop(self) -> None:
        if self._place is None:
            return
        place, self._place = self._place, None
        name = f"steps_{self._traced.start + 1}-{self._traced.stop}"
        folder, process = self._folder / "plugins" / "profile" / name, f"process{jax.process_index()}"
        try:
            with place:
                jax.profiler.stop_trace()
                (spaces,) = Path(place.name).rglob("*.xplane.pb")
                (events,) = Path(place.name).rglob("perfetto_trace.json.gz")
                atomic.replace(folder / f"{process}.xplane.pb", spaces.read_bytes())
                atomic.replace(folder / f"{process}.perfetto.json.gz", events.read_bytes())
        except Exception as error:
            self._fail(error)
            return
        self._say(
            f"a trace of steps {self._traced.start + 1} to {self._traced.stop} is in {folder}: see it with tensorboard "
            f"--logdir={self._folder} (pip install xprof), or open {process}.perfetto.json.gz at https://ui.perfetto.dev"
        )

    def _fail(self, error: Exception) -> None:
        self._steps = range(0)
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        reason = " ".join(f"{kind}{error}".split())[:300]
        self._say(f"there is no trace of the chosen steps ({reason}); training goes on")
