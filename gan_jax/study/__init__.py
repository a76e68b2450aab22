"""Comparisons of methods: many runs of each, drawn from a space of settings, and what their scores say together."""
