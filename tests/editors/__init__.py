"""Editors that know the schema and nothing of the package."""
