"""Training of generative adversarial networks in JAX, from one CPU to a TPU pod."""

__version__ = "0.1.0"
