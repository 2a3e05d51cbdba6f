"""One layout for every spec: the tree and the comments stay, the white space, quotes and line breaks follow rules."""

from __future__ import annotations

from soilql.convert import Surface, read, write


def format_text(text: str, surface: Surface, name: str = "<text>") -> str:
    """Return a spec in the one layout of its surface.

    Parameters
    ----------
    text : str
        The spec.
    surface : {'yaml', 'soilql'}
        The surface it is on.
    name : str
        Name that diagnostics show.

    Returns
    -------
    str
        Text of the same tree with the same comments. Formatting it again changes nothing.

    Raises
    ------
    SoilqlError
        With every syntax error of the text.

    Examples
    --------
    >>> print(format_text("soilql 1\\nmodel m=linear( Rs~MAT,data=t )", "soilql"), end="")
    soilql 1
    <BLANKLINE>
    model m = linear(Rs~MAT, data = t)
    """
    tree, comments = read(text, surface, name)
    return write(tree, comments, surface, surface)
