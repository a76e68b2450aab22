"""Adversarial losses, penalties and regularisers: pure functions."""
