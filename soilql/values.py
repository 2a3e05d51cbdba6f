"""What nodes pass to one another: tables, grids, fitted models, partitions and schemes of folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from soilql.errors import Severity

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr

#: What the members and the `sd` of a model are that does not say more.
MEMBER_SOURCE = "Monte Carlo members"
SD_MEANING = "standard deviation"
#: Known of every cell, and of the rows of a table with these roles, so that zones may look at them.
PLACES = ("lat", "lon")

Arrays: TypeAlias = "Mapping[str, np.ndarray[Any, Any]]"


class ValueType(StrEnum):
    """What a block's value is; reference-typed parameters say which they accept."""

    TABLE = "table"
    GRID = "grid"
    MODEL = "model"
    ZONES = "zones"
    SCHEME = "scheme"


@dataclass(frozen=True)
class Note:
    """A status that travels with a value, so that nothing is skipped silently."""

    code: str
    message: str
    severity: Severity = Severity.WARNING


@dataclass(frozen=True)
class Table:
    """Observations or results in rows, with units.

    Attributes
    ----------
    frame : pandas.DataFrame
        With a plain 0..n-1 index.
    units : mapping of str to str
        Unit of each column that has one, in the notation of :mod:`soilql.units`.
    roles : mapping of str to str
        Column that plays each role: ``lat``, ``lon`` (degrees), ``time``, ``site`` ...
    notes : tuple of Note
        Statuses found on the way.
    extras : mapping of str to Table
        Further tables that belong to the result, such as the predictions behind a score.
    """

    frame: pd.DataFrame
    units: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    extras: Mapping[str, Table] = field(default_factory=dict)

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the columns as arrays, for the evaluation of expressions."""
        return {str(name): self.frame[name].to_numpy() for name in self.frame.columns}

    def rows(self, selected: np.ndarray[Any, Any]) -> Table:
        """Return the table cut to the selected rows (a mask or positions), with a fresh index."""
        import numpy as np

        positions = np.flatnonzero(selected) if selected.dtype == bool else selected
        return replace(self, frame=self.frame.iloc[positions].reset_index(drop=True))

    def labels(self, name: str) -> np.ndarray[Any, Any] | None:
        """Return the labels of a role or column; the role ``site`` defaults to distinct places.

        Parameters
        ----------
        name : str
            A role, or else a column.

        Returns
        -------
        numpy.ndarray of str, shape (rows,), or None
            None where there is neither such a role nor such a column.
        """
        column = self.roles.get(name, name)
        if column in self.frame.columns:
            labels: np.ndarray[Any, Any] = self.frame[column].astype(str).to_numpy(dtype=object)
            return labels
        if name == "site" and {"lat", "lon"} <= set(self.roles):
            lat, lon = (self.frame[self.roles[axis]].map(repr) for axis in ("lat", "lon"))
            return (lat + " " + lon).to_numpy(dtype=object)
        return None


@dataclass(frozen=True)
class Grid:
    """Variables on one rectilinear longitude-latitude grid, lazily in blocks.

    Attributes
    ----------
    data : xarray.Dataset
        Each variable has dims ending in ``(lat, lon)``, before them ``(member,)``, ``(time,)``, both or none.
        ``lat`` falls from north to south, ``lon`` rises within -180..180; both are cell centres in degrees. Numbers are
        floats with NaN where missing. Each variable's ``attrs["units"]`` is in the notation of :mod:`soilql.units`;
        categories are numbers too, with ``attrs["categorical"] = 1``.
    crs : str
        Geographic, such as ``EPSG:4326``.
    """

    data: xr.Dataset
    crs: str = "EPSG:4326"
    notes: tuple[Note, ...] = ()
    extras: Mapping[str, Table] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return int(self.data.sizes["lat"]), int(self.data.sizes["lon"])

    def unit(self, variable: str) -> str | None:
        """Return the unit of a variable, or None where it has none."""
        unit = self.data[variable].attrs.get("units")
        return None if unit is None else str(unit)

    def select(self, variables: Sequence[str]) -> Grid:
        """Return the grid cut to some variables."""
        return replace(self, data=self.data[list(variables)])


@dataclass(frozen=True)
class State:
    """What is stored of a fitted model: plain JSON and plain arrays, never pickled objects."""

    meta: Mapping[str, Any]
    arrays: Arrays


@runtime_checkable
class Fitted(Protocol):
    """A fitted model of any kind.

    Attributes
    ----------
    response : str
        Name of what is modelled.
    unit : str or None
        Its unit.
    variables : tuple of str
        Columns or grid variables that :meth:`predict` needs.
    notes : tuple of Note
        Convergence and other statuses.

    A model may also say what its uncertainty is, in words that follow a number or a name: ``member_source``
    ("single trees"; default :data:`MEMBER_SOURCE`) and ``sd_meaning`` ("standard error of the mean"; default
    :data:`SD_MEANING`).
    """

    response: str
    unit: str | None
    variables: tuple[str, ...]
    notes: tuple[Note, ...]

    def predict(
        self,
        columns: Arrays,
        *,
        quantiles: Sequence[float] = (),
        sd: bool = False,
        members: int = 0,
        seed: int = 0,
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Predict at n points.

        Parameters
        ----------
        columns : mapping of str to array, each of shape (n,)
            At least :attr:`variables`. A point with a missing driver gets NaN.
        quantiles : sequence of float
            Quantile levels of the conditional distribution; an error for a model that has none.
        sd : bool
            Whether to return the standard deviation of the conditional distribution.
        members : int
            Number of Monte Carlo members of the mean; the same draws at every call with the same seed.
        seed : int
            Seed of the members.

        Returns
        -------
        dict
            ``mean`` of shape (n,); ``q<percent>`` (``q05``, ``q97.5``) for each quantile; ``sd``; ``members`` of shape
            (members, n).
        """
        ...

    def summary(self) -> Table:
        """Return what R's ``summary()`` would show, as a table."""
        ...

    def report(self) -> str:
        """Return the summary as text, in R's manner."""
        ...

    def state(self) -> State:
        """Return what has to be stored so that ``load(state)`` of the kind gives the same model."""
        ...


class Zones(Protocol):
    """A partition of sites and pixels into labelled zones, which a fitted model can take along.

    The kind's module offers ``load(state, params=None)``, the inverse of :meth:`state`.

    Attributes
    ----------
    labels : tuple of str
        Name of each zone, in order of its code.
    variables : tuple of str
        Columns or grid variables that :meth:`codes` needs.
    """

    labels: tuple[str, ...]
    variables: tuple[str, ...]

    def codes(self, columns: Mapping[str, Any]) -> Any:
        """Return the zone of each point, from numpy or dask arrays alike.

        Parameters
        ----------
        columns : mapping of str to array
            At least :attr:`variables`, plus ``lat`` and ``lon`` where the partition is a map of its own.

        Returns
        -------
        array of int16
            Position in :attr:`labels`, -1 outside every zone.
        """
        ...

    def outside(self, columns: Mapping[str, Any]) -> dict[str, int]:
        """Return what the points outside every zone are (a class, "missing"), with their number."""
        ...

    def state(self) -> State:
        """Return the partition as JSON and arrays; ``meta["kind"]`` is the name of its kind."""
        ...


class Scheme(Protocol):
    """A way to share the rows of a table out into folds."""

    def folds(self, table: Table) -> np.ndarray[Any, Any]:
        """Return the fold of each row, 0..k-1, -1 for a row that is never tested."""
        ...

    def describe(self) -> str:
        """Return the scheme in words, such as ``10 folds by site``."""
        ...


Value: TypeAlias = "Table | Grid | Fitted | Zones | Scheme"


def quantile_name(level: float) -> str:
    """Return the variable name of a quantile level.

    Examples
    --------
    >>> [quantile_name(level) for level in (0.05, 0.5, 0.975)]
    ['q05', 'q50', 'q97.5']
    """
    percent = f"{level * 100:.10g}"
    whole, point, decimals = percent.partition(".")
    return f"q{whole.zfill(2)}{point}{decimals}"
