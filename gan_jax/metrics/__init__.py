"""Scores of generated images. They see arrays and functions, never the training state."""
