"""Fuzzing of the language; `python -m tests.fuzz --help` says how."""
