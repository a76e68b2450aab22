"""report.html: everything worth seeing of a run on one page that opens offline."""

import base64
import html
import io
import json
import os
import re
import time
from collections.abc import Iterator

import numpy as np
from etils import epath
from PIL import Image, UnidentifiedImageError

from gan_jax.errors import explained
from gan_jax.report import atomic
from gan_jax.report.curves import Series, chart
from gan_jax.report.goodput import bar, read_attempts
from gan_jax.report.scores import better, is_number, scores_of
from gan_jax.report.style import SCRIPT, STYLE
from gan_jax.report.units import duration, figure, quantity
from gan_jax.report.writers import read_metrics

FRAMES = 10  # sample grids on the page, at most
TIMES = "\N{MULTIPLICATION SIGN}"
LARGE, SMALL = (3_000_000, 1600), (300_000, 800)  # bytes up to which a grid is kept as it is, else pixels across

# Titles of charts and the metrics that they take; the rest of their names tells its curves apart.
CHARTS = (
    ("Losses", r"(?<![a-z])loss(?![a-z])"),
    ("Gradient norms", r"gradient_norm"),
    ("Update norms", r"update_norm"),
    ("Learning rates", r"learning_rate"),
    ("Images per second", r"images_per_second"),
)


def write_report(workdir: str | os.PathLike) -> epath.Path:
    """Writes workdir/report.html from what lies in the workdir and returns its path; anything may be missing.

    It reads config.json, environment.json, metrics.jsonl, goodput.json, samples/IMAGES.png and evaluations/*.json (objects with
    `step`, `images` and one number per score). Files that cannot be read are left out.

    Raises:
        UserError: the page cannot be written.
    """
    path = epath.Path(workdir) / "report.html"
    with explained(path):
        page = _page(path.parent)
    return atomic.replace(path, page.encode())


def _page(workdir: epath.Path) -> str:
    config, environment = _read_json(workdir / "config.json"), _read_json(workdir / "environment.json")
    lines = read_metrics(workdir)
    # Those of other seeds and truncations have longer names.
    evaluations = [_read_json(path) for path in _files(workdir / "evaluations", ".json") if path.stem.isdecimal()]
    evaluations = sorted((e for e in evaluations if is_number(e.get("images"))), key=lambda e: e["images"])
    sections = [
        _samples(workdir, {line["images"]: line["step"] for line in lines}),
        _scores(evaluations),
        _best(workdir, evaluations, _section(config, "evaluate").get("best")),
        _curves(lines),
        bar(read_attempts(workdir)),
        _folded("Config", config),
        _folded("Environment", environment),
    ]
    body = (
        "".join(sections) or "<h2>Nothing has been logged yet</h2><p>Curves and samples appear as training goes on.</p>"
    )
    title = html.escape(f"{config.get('recipe', 'A run')} · {workdir.resolve().name}")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>"
        f"{_headline(workdir, config, environment, lines, evaluations)}{body}"
        f"<footer>Written by gan-jax on {time.strftime('%d %B %Y, %H:%M')}</footer>"
        f"</main><script>{SCRIPT}</script></body></html>\n"
    )


def _headline(workdir: epath.Path, config: dict, environment: dict, lines: list[dict], evaluations: list[dict]) -> str:
    data, train = _section(config, "data"), _section(config, "train")
    facts = [data.get("source")]
    facts += [f"{data['resolution']} {TIMES} {data['resolution']} pixels"] if "resolution" in data else []
    facts += [f"batch size {train['batch_size']}"] if "batch_size" in train else []
    tiles = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}<small>{html.escape(note)}</small></dd></div>"
        for name, value, note in _tiles(environment, lines, evaluations)
    )
    return (
        f'<header><p class="overline">{html.escape(workdir.resolve().name)}</p>'
        f"<h1>{html.escape(str(config.get('recipe', 'A run')))}</h1>"
        f"<p>{html.escape(' · '.join(str(fact) for fact in facts if fact))}</p></header>"
        + (f'<dl class="tiles">{tiles}</dl>' if tiles else "")
    )


def _tiles(environment: dict, lines: list[dict], evaluations: list[dict]) -> Iterator[tuple[str, str, str]]:
    """(name, value, note) of the figures at the top."""
    for line in lines[-1:]:
        yield "Images seen", quantity(line["images"]), f"{line['step']:,} steps"
        yield "Training time", duration(line["time"]), ""
    if speeds := [line["images_per_second"] for line in lines[-50:] if is_number(line.get("images_per_second"))]:
        yield "Speed", quantity(float(np.median(speeds))), "images per second"
    if "device" in environment:
        counts = (("devices", "devices"), ("processes", "processes"))
        several = [f"{environment[key]} {word}" for key, word in counts if environment.get(key, 1) != 1]
        yield "Hardware", str(environment["device"]), ", ".join(several)
    for evaluation in evaluations[-1:]:
        known = [(name, value) for name, value in scores_of(evaluation).items() if better(name)]
        for name, value in known[:2]:
            yield f"{_words(name)} {better(name)}", figure(value), f"after {quantity(evaluation['images'])} images"


def _samples(workdir: epath.Path, steps: dict[int, int]) -> str:
    """The newest grid large, and up to `FRAMES` of all grids, the first and the newest among them, as a strip."""
    grids = sorted((int(path.stem), path) for path in _files(workdir / "samples", ".png") if path.stem.isdecimal())
    chosen = [grids[i] for i in np.unique(np.linspace(0, len(grids) - 1, FRAMES).round().astype(int)) if grids]
    frames = [(images, uri, path) for images, path in chosen if (uri := _data_uri(path, *SMALL))]
    if not frames:
        return ""
    buttons = "".join(
        f'<button title="{_when(images, steps)}" aria-pressed="{str(index == len(frames) - 1).lower()}">'
        f'<span><img src="{uri}" alt=""/></span>{quantity(images)}</button>'
        for index, (images, uri, _) in enumerate(frames)
    )
    images, _, newest = frames[-1]
    strip = f'<div class="strip">{buttons}</div>' if len(frames) > 1 else ""
    return (
        '<h2>Samples</h2><div class="card samples">'
        f'<img id="large" src="{_data_uri(newest, *LARGE)}" alt="generated images, {_when(images, steps)}"/>'
        f'<p id="caption">{_when(images, steps)}</p>{strip}</div>'
    )


def _when(images: int, steps: dict[int, int]) -> str:
    step = "step 0, " if images == 0 else f"step {steps[images]:,}, " if images in steps else ""
    return f"{step}{images:,} images seen"


def _data_uri(path: epath.Path, max_bytes: int, width: int) -> str | None:
    """The picture for inlining: the file itself, or a smaller JPEG of it; None if it is not readable."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            if len(content) <= max_bytes:
                return f"data:image/png;base64,{base64.b64encode(content).decode()}"
            picture = picture.convert("RGB")
            picture.thumbnail((width, 4 * width))
            smaller = io.BytesIO()
            picture.save(smaller, "JPEG", quality=88)
    except (OSError, UnidentifiedImageError):
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(smaller.getvalue()).decode()}"


def _scores(evaluations: list[dict]) -> str:
    """A table of the latest and the best values, and a curve per score where there are several evaluations."""
    history: dict[str, list[tuple[float, float]]] = {}
    for evaluation in evaluations:
        for name, value in scores_of(evaluation).items():
            history.setdefault(name, []).append((evaluation["images"], value))
    if not history:
        return ""
    rows = "".join(_score_row(name, points) for name, points in history.items())
    counts = [f"on {e['samples']:,} samples" for e in evaluations[-1:] if is_number(e.get("samples"))]
    curves = "".join(
        chart(_words(name), [Series("latest", *np.array(points, np.float64).T)], "images seen")
        for name, points in history.items()
        if len(points) > 1 and len({value for _, value in points}) > 1
    )
    return (
        f'<h2>Scores</h2><div class="card"><table><tr><th>{" ".join(counts)}</th><th>first</th><th>latest</th>'
        f'<th>best</th></tr>{rows}</table></div><div class="charts small">{curves}</div>'
    )


def _best(workdir: epath.Path, evaluations: list[dict], name: str | None) -> str:
    """The grid of the best evaluation if that is not the latest, by the score of the config or the first with a rank."""
    ranked = [score for evaluation in evaluations[-1:] for score in scores_of(evaluation) if better(score)]
    name = name or next(iter(ranked), "")
    scored = [evaluation for evaluation in evaluations if is_number(evaluation.get(name))]
    if not scored or not better(name):
        return ""
    best = (min if better(name) == "↓" else max)(scored, key=lambda evaluation: evaluation[name])
    uri = _data_uri(workdir / "samples" / f"{best['images']:010d}.png", *LARGE)
    if uri is None or best is evaluations[-1]:
        return ""
    words = f"{_words(name)} {figure(best[name])}, after {best['images']:,} images"
    return f'<h2>Best</h2><div class="card samples"><img src="{uri}" alt="generated images"/><p>{html.escape(words)}</p></div>'


def _score_row(name: str, points: list[tuple[float, float]]) -> str:
    arrow = better(name)
    best = (min if arrow == "↓" else max)(points, key=lambda point: point[1]) if arrow else None
    cells = [points[0] if len(points) > 1 else None, points[-1], best]
    shown = [f"<b>{figure(cell[1])}</b> <small>at {quantity(cell[0])}</small>" if cell else "" for cell in cells]
    title = f"{html.escape(_words(name))} <small>{arrow}</small>"
    return f"<tr><td>{title}</td>{''.join(f'<td>{cell}</td>' for cell in shown)}</tr>"


def _curves(lines: list[dict]) -> str:
    charts = [
        chart(title, [_series(lines, label, name) for name, label in names.items()], "images seen")
        for title, names in _charts(list(dict.fromkeys(name for line in lines for name in line)))
    ]
    return f'<h2>Training</h2><div class="charts">{"".join(charts)}</div>' if charts else ""


def _charts(names: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """(title, {metric: label of its curve}) of every chart: those of `CHARTS`, then one per other measure.

    What is measured on real and on fake images shares a chart.
    """
    names = [name for name in names if name not in ("step", "images", "time", "goodput")]
    taken = set()
    for title, pattern in CHARTS:
        members = {name: _label(name, pattern) for name in names if re.search(pattern, name)}
        taken |= members.keys()
        if members:
            yield title, dict(sorted(members.items(), key=lambda item: item[1]))
    others: dict[str, dict[str, str]] = {}
    for name in names:
        if name not in taken:
            phase, _, measure = name.rpartition("/")
            kind = re.search(r"(?<![a-z])(real|fake)(?![a-z])", measure)
            shared = re.sub(r"_?(?<![a-z])(real|fake)(?![a-z])_?", " ", measure).strip() if kind else measure
            title = " · ".join(part for part in (_words(shared or "output"), phase) if part)
            others.setdefault(title, {})[name] = kind[0] if kind else "latest"
    for title in sorted(others):
        yield title, others[title]


def _label(name: str, pattern: str) -> str:
    """The parts of a name that are not the chart's pattern, each once; "latest" if none is left."""
    parts = [part.strip("_").replace("_", " ") for part in re.sub(pattern, "", name).split("/")]
    return " · ".join(dict.fromkeys(part for part in parts if part)) or "latest"


def _series(lines: list[dict], label: str, name: str) -> Series:
    points = [(line["images"], line[name] if is_number(line[name]) else np.nan) for line in lines if name in line]
    return Series(label, *np.array(points, np.float64).reshape(-1, 2).T)


def _folded(title: str, tree: dict) -> str:
    """A folded list of all fields, one block per section."""
    plain = {name: value for name, value in tree.items() if not isinstance(value, dict)}
    sections = ({"": plain} if plain else {}) | {name: value for name, value in tree.items() if isinstance(value, dict)}
    blocks = "".join(
        f"<section><h3>{html.escape(name)}</h3><dl>"
        + "".join(f"<div><dt>{html.escape(key)}</dt><dd>{html.escape(text)}</dd></div>" for key, text in _flat(section))
        + "</dl></section>"
        for name, section in sections.items()
    )
    return f'<details><summary>{title}</summary><div class="fields">{blocks}</div></details>' if tree else ""


def _flat(tree: dict, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _words(name: str) -> str:
    """A name from a program as a title: fid -> FID, real_logit -> Real logit."""
    words = name.replace("_", " ")
    return words.upper() if len(words) <= 3 else words[:1].upper() + words[1:]


def _section(tree: dict, name: str) -> dict:
    return tree[name] if isinstance(tree.get(name), dict) else {}


def _files(folder: epath.Path, suffix: str) -> list[epath.Path]:
    """The files with this suffix in order; none where there is no folder. (A glob would read the folder's name too.)"""
    return sorted(path for path in folder.iterdir() if path.suffix == suffix) if folder.is_dir() else []


def _read_json(path: epath.Path) -> dict:
    """The object in a JSON file, or nothing if there is none."""
    try:
        tree = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}
