"""Kinds of the `models` section: one kind a file."""
