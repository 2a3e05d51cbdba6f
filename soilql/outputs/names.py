"""What the files of a block are called, on every operating system."""

from __future__ import annotations

from soilql.references import SEPARATOR


def file_stem(block: str) -> str:
    """Return the name that the files and the folder of a block begin with.

    A block of a recipe is called `alias::block`, and Windows allows no colon in the name of a file. The names of blocks
    and aliases have no dots, so that no two blocks get one name.

    Examples
    --------
    >>> file_stem("rs"), file_stem("warner::rs"), file_stem("a::b::rs")
    ('rs', 'warner.rs', 'a.b.rs')
    """
    return block.replace(SEPARATOR, ".")
