"""Published weights that metrics need: where they are looked for, and whether they are what they should be."""

import dataclasses
import hashlib
from pathlib import Path

from gan_jax.errors import ConfigError, UserError, explained


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """A published file.

    Attributes:
        names: the names under which it is published; the first that is there is taken.
        source: where to get it.
        sha256: the first hexadecimal digits of its SHA-256, as its publisher gives them; "" where he gives none.
    """

    names: tuple[str, ...]
    source: str
    sha256: str = ""

    def find(self, folder: str | Path) -> tuple[Path, str]:
        """Its path in the folder, and its whole SHA-256 in hexadecimal.

        Raises:
            ConfigError: it is not there.
            UserError: it cannot be read, or is another file.
        """
        folder = Path(folder).expanduser()
        path = next((folder / name for name in self.names if (folder / name).is_file()), None)
        if path is None:
            raise ConfigError(
                f"{folder / self.names[0]} is missing: get it from {self.source} and put it there, or name the folder "
                "that holds it by --config.evaluate.weights=FOLDER"
            )
        with explained(path, "cannot be read", "see that it may be read"), path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(self.sha256):
            raise UserError(
                f"{path} has SHA-256 {found[:16]}..., expected {self.sha256}...: it is damaged or another file, get it "
                f"again from {self.source}"
            )
        return path, found
