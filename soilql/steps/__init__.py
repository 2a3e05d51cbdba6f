"""Kinds of the `analyses` section: one kind a file."""
