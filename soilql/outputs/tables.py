"""Tables as CSV for people and Parquet for programs, with the units of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soilql.outputs.files import refusals, replacing
from soilql.values import Table

if TYPE_CHECKING:
    import pandas as pd


def write_table(table: Table, folder: Path, stem: str, provenance: Mapping[str, str] | None = None) -> list[Path]:
    """Write a table, and those that belong to it, as CSV and Parquet.

    Parameters
    ----------
    table : Table
        What to write. In the CSV file, numbers have nine digits, which is all of a float32; in the Parquet file they
        have them all.
    folder : Path
        Where to write; made where it is missing.
    stem : str
        ``<stem>.csv``, ``<stem>.parquet``, and ``<stem>.units.csv`` (``column,unit``) where any column has a unit;
        a table among the extras has ``<stem>.<its name>`` as its stem. In the Parquet file, units stand in the metadata
        of the columns under ``units``.
    provenance : mapping of str to str, optional
        Facts kept in the metadata of the Parquet file.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    SoilqlError
        A file cannot be written (SQ901).

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> table = Table(pd.DataFrame({"zone": ["all"], "RMSE": [250.0]}), {"RMSE": "g C m-2 yr-1"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_table(table, Path(folder), "skill")
    ...     print([path.name for path in paths], paths[2].read_text(), sep=chr(10), end="")
    ['skill.csv', 'skill.parquet', 'skill.units.csv']
    column,unit
    RMSE,g C m-2 yr-1
    """
    import pandas as pd
    from pyarrow import parquet

    to_parquet: Any = parquet.write_table
    units = {str(name): table.units[str(name)] for name in table.frame.columns if str(name) in table.units}
    paths = [folder / f"{stem}.csv", folder / f"{stem}.parquet"]
    with replacing(paths[0]) as partial, refusals(paths[0]):
        _to_csv(table.frame, partial)
    with replacing(paths[1]) as partial, refusals(paths[1]):
        to_parquet(_arrow(table.frame, units, provenance or {}), partial, compression="zstd")
    if units:
        paths.append(folder / f"{stem}.units.csv")
        with replacing(paths[2]) as partial, refusals(paths[2]):
            _to_csv(pd.DataFrame({"column": list(units), "unit": list(units.values())}), partial)
    for name, extra in table.extras.items():
        paths += write_table(extra, folder, f"{stem}.{name}", provenance)
    return paths


def _to_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8", float_format="%.9g")


def _arrow(frame: pd.DataFrame, units: Mapping[str, str], provenance: Mapping[str, str]) -> Any:
    import pyarrow

    pa: Any = pyarrow
    columns = {str(name): _column(frame.iloc[:, i]) for i, name in enumerate(frame.columns)}
    fields = [
        pa.field(name, column.type, metadata={"units": units[name]} if name in units else None)
        for name, column in columns.items()
    ]
    return pa.table(list(columns.values()), schema=pa.schema(fields, metadata=dict(sorted(provenance.items()))))


def _column(values: pd.Series) -> Any:
    """Return a column of one type; one of mixed types, such as numbers and texts, becomes text."""
    import pyarrow

    pa: Any = pyarrow
    try:
        column = pa.Array.from_pandas(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        column = pa.Array.from_pandas(values.map(str, na_action="ignore"))
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
