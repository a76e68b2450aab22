"""Training of generative adversarial networks in JAX."""

import os

os.environ.setdefault("EPATH_USE_TF", "false")  # buckets (gs://) through gcsfs, even where TensorFlow is installed

__version__ = "0.1.0"
