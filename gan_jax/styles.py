"""Files of styles: an .npz file with one array `w` float32 [n, layers, d].

The form of `projected_w.npz` in NVlabs/stylegan2-ada-pytorch, whose `generate.py --projected-w` reads these files too.
"""

import io
import zipfile
from pathlib import Path

import numpy as np

from gan_jax.errors import UserError, explained
from gan_jax.report import atomic


def save(path: Path, ws: np.ndarray) -> None:
    """Writes styles [n, layers, d].

    Raises:
        UserError: the file cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(buffer, w=np.asarray(ws, np.float32))
    atomic.replace(path, buffer.getvalue())


def load(path: Path) -> np.ndarray:
    """Reads styles float32 [n, layers, d].

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    with explained(path, "cannot be read", "see that it is there and may be read"):
        content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            ws = arrays["w"]
    except (ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} holds no styles ({error}): expected an .npz file with one array w") from error
    if ws.ndim != 3 or not len(ws) or not np.issubdtype(ws.dtype, np.floating) or not np.isfinite(ws).all():
        raise UserError(
            f"{path} holds w of shape {ws.shape}, {ws.dtype}: expected finite numbers [n, layers, d], n > 0"
        )
    return ws.astype(np.float32)
