"""The stored values of metrics, and the recipe of the features that they are of (data/README.md)."""

import json
import zlib
from pathlib import Path

import numpy as np

CASES = json.loads((Path(__file__).parent.parent / "data" / "eval_metrics.json").read_text())["cases"]


def features(seed, n, d, kind="normal", shift=0, scale=1):
    """Rows float32 [n, d]."""
    x = np.random.RandomState(seed).standard_normal((n, d))
    x[:, 1:] = x[:, 1:] + 0.5 * x[:, :-1]
    x = x * (scale * (0.5 + np.arange(d) / d)) + shift
    return (np.maximum(x, 0) if kind == "relu" else x).astype(np.float32)


def pair(case):
    """Real and generated rows of a stored case, of the stored CRC-32 where there is one."""
    sets = [features(**case[which]) for which in ("real", "fake")]
    if "crc32" in case:
        assert [zlib.crc32(x.tobytes()) for x in sets] == case["crc32"]
    return sets


def names(prefix):
    """The stored cases whose names begin so."""
    return [name for name in CASES if name.startswith(prefix)]
