"""Checks of a study on its real data, one a file, for `soilql lint --data`: nothing is fitted.

Each module has a docstring with the reason and a bad and a good example, ``CODE``, ``TITLE``, and ``check(study) ->
Iterator[Diagnostic]``. A check may have the code of a rule of the linter, and then finds with the data what the rule
finds without; what it finds stands in the place of what the rule found there.
"""
