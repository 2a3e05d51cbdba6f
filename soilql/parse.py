"""The text of a spec to its tree, on whichever surface it is written."""

from __future__ import annotations

from soilql.errors import Source
from soilql.source import Tree, parse_yaml

#: How the names of specs end.
SUFFIXES = (".yaml", ".yml", ".soilql")


def parse_source(source: Source) -> Tree:
    """Parse a spec by the surface that its name tells: the mini-language for ``.soilql``, else YAML.

    Parameters
    ----------
    source : Source
        The text.

    Returns
    -------
    Tree
        With every problem found.

    Examples
    --------
    >>> tree = parse_source(Source("x.soilql", "soilql 1\\n"))
    >>> [(entry.name, entry.value.value) for entry in tree.root]
    [('soilql', 1)]
    """
    if source.name.endswith(".soilql"):
        from soilql.minilang.parse import parse_soilql

        return parse_soilql(source)
    return parse_yaml(source)
