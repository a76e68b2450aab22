"""What networks of both kinds return."""

from typing import Any

import jax


def numbers(output: Any) -> jax.Array:
    """A generator's images, or the logits of a discriminator's verdict."""
    return getattr(output, "logits", output)
