"""The expression language: one grammar for formulas, filters and derived columns."""
