"""Kinds of the `datasets` section: one kind a file."""
