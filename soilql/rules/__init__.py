"""Lint rules: one rule a file, found by file name."""
