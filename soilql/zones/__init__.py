"""Kinds of the `zones` section: one kind a file."""
