"""Kinds of the `validation` section: one kind a file."""
