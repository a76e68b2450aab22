"""Images in a row as a film: GIF by Pillow, MP4 by ffmpeg."""

import contextlib
import importlib.util
import io
import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from gan_jax.errors import ConfigError, UserError
from gan_jax.report import atomic
from gan_jax.report.grid import as_picture

COMFORTABLE_WIDTH = 256  # pixels; narrower films are enlarged by a whole factor


def save_film(path: Path, batches: Iterable[np.ndarray], rate: int) -> Path:
    """Writes uint8 images, which come in batches [n, height, width, 1 or 3], as a film.

    The file's ending says which kind: .gif (256 colours an image, shown over and over) or .mp4, of the codec that
    ffmpeg chooses. Only one batch is held at a time, and what is compressed already.

    Args:
        rate: images a second. GIF counts in hundredths of a second, so 30 become 33; players slow down beyond 50.

    Raises:
        ConfigError: .mp4 without ffmpeg.
        UserError: ffmpeg fails, or the file cannot be written.
    """
    write = _gif if path.suffix.lower() == ".gif" else _mp4
    return atomic.replace(path, write((_enlarged(image) for batch in batches for image in batch), rate))


def ffmpeg() -> str:
    """The program: that of the PATH, else the one that the package imageio-ffmpeg brings.

    Raises:
        ConfigError: there is none.
    """
    if found := shutil.which("ffmpeg"):
        return found
    if importlib.util.find_spec("imageio_ffmpeg"):
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    raise ConfigError(
        "MP4 needs ffmpeg, which is not on the PATH: install it, or pip install imageio-ffmpeg, or choose --out=FILE.gif"
    )


def _enlarged(image: np.ndarray) -> np.ndarray:
    factor = max(1, -(-COMFORTABLE_WIDTH // image.shape[1]))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _gif(images: Iterator[np.ndarray], rate: int) -> bytes:
    pictures = map(as_picture, images)
    buffer = io.BytesIO()
    next(pictures).save(buffer, "GIF", save_all=True, append_images=pictures, duration=round(1000 / rate), loop=0)
    return buffer.getvalue()


def _mp4(images: Iterator[np.ndarray], rate: int) -> bytes:
    first, program = next(images), ffmpeg()
    height, width, channels = first.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "gray" if channels == 1 else "rgb24", "-s", f"{width}x{height}"]
    # What players show everywhere: colour at half the resolution, which needs even sides.
    shown = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        command = [program, "-loglevel", "error", *raw, "-r", str(rate), "-i", "-", *shown, str(film)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            with contextlib.suppress(BrokenPipeError):  # it has ended early, and says why
                for image in itertools.chain([first], images):
                    process.stdin.write(image.tobytes())
            _, error = process.communicate()
        if process.returncode or not film.exists():
            reason = error.decode(errors="replace").strip().split("\n")[-1]
            raise UserError(f"{program} makes no MP4 ({reason}): install a whole ffmpeg, or choose --out=FILE.gif")
        return film.read_bytes()
