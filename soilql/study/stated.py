"""The unit that the spec takes values to be in, against that of the file."""

from __future__ import annotations

from collections.abc import Mapping

from soilql.kinds import Block
from soilql.lineage import entries
from soilql.units import UnitError, conversion, parse_unit


def contradictions(block: Block, of_files: Mapping[str, str]) -> dict[str, tuple[str, str, str]]:
    """Return the new columns or variables of a block that are taken to be in another unit than the file says.

    Parameters
    ----------
    block : Block
        One that reads files.
    of_files : mapping of str to str
        Unit of each, as the files or the registry have it.

    Returns
    -------
    dict of str to (str, str, str)
        Stated unit, the key that states it, and the unit of the file.
    """
    found = {}
    for name, unit in of_files.items():
        stated, key = _stated(block, name)
        if stated is not None and not _same(stated, unit):
            found[name] = (stated, key, unit)
    return found


def _stated(block: Block, name: str) -> tuple[str | None, str]:
    """Return the unit that the values are taken to be in, and the key that says so."""
    columns = getattr(block.params, "columns", None)
    one = (columns if columns is not None else block.params.variables)[name]
    if one.from_unit is not None:
        return str(one.from_unit), "from_unit"
    # The unit of a grid's file and of the registry is converted from; that in the name of a column is not read.
    assumed = columns is not None and one.unit is not None and not _is_registered(block, one.source(name))
    return (str(one.unit) if assumed else None), "unit"


def _is_registered(block: Block, column: str | None) -> bool:
    known = (entry.variables.get(column or "") for entry in entries(block))
    return any(variable is not None and bool(variable.unit) for variable in known)


def _same(stated: str, found: str) -> bool:
    try:
        return conversion(stated, found).is_identity and parse_unit(stated).offset == parse_unit(found).offset
    except UnitError:
        return False
