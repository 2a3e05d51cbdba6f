"""A tiny study of made-up kinds that compiles and runs like a real one, also as a process of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import xarray as xr

from soilql import kinds
from soilql.context import Context, Resources
from soilql.errors import Diagnostic, SoilqlError, Source
from soilql.kinds import Kind
from soilql.outcomes import Report
from soilql.params import GridRef, ModelRef, Params, TableRef, param
from soilql.plan import Plan, make_plan
from soilql.progress import Progress, Quiet
from soilql.run import execute
from soilql.source import parse_yaml
from soilql.spec import Spec, build
from soilql.store import Store
from soilql.values import Fitted, Grid, Note, State, Table, Value, ValueType

STUDY = """\
soilql: 1
meta: {title: A study of nothing}
datasets:
  numbers: {kind: numbers, rows: 12, seed: 3}
  field: {kind: field, note: the sea is missing}
models:
  mean: {kind: mean, data: numbers}
analyses:
  spread: {kind: scale, model: mean, on: field}
  score: {kind: score, models: [mean]}
"""

#: How often each kind ran in this process, in order.
RAN: list[str] = []
#: Seconds that each kind sleeps.
NAP = {"seconds": 0.0}


@dataclass(frozen=True)
class NumbersParams(Params):
    """Random numbers."""

    rows: int = param(doc="rows")
    seed: int = param(0, doc="seed")


@dataclass(frozen=True)
class FieldParams(Params):
    """A grid that rises northwards."""

    note: str = param("", doc="a status")
    after: TableRef | None = param(None, doc="a table it needs")


@dataclass(frozen=True)
class MeanParams(Params):
    """The mean of y."""

    data: TableRef | None = param(None, doc="what it is fitted to")
    of: list[ModelRef] = param([], doc="models it averages instead")


@dataclass(frozen=True)
class ScaleParams(Params):
    """A grid times a prediction."""

    model: ModelRef = param(doc="the model")
    on: GridRef = param(doc="the grid")


@dataclass(frozen=True)
class ScoreParams(Params):
    """Leave-one-out predictions."""

    models: list[ModelRef] = param(doc="the models")


@dataclass(frozen=True)
class BreakParams(Params):
    """Something that fails."""

    how: str = param(doc="how")
    data: TableRef | None = param(None, doc="a table")


@dataclass(frozen=True)
class Mean:
    """A fitted mean."""

    value: float
    rows: int
    response: str = "y"
    unit: str | None = "g"
    variables: tuple[str, ...] = ()
    notes: tuple[Note, ...] = (Note("SQ803", "did not converge in zone `x`"),)
    sizes: list[int] = field(default_factory=list)

    def predict(
        self,
        columns: Any,
        *,
        quantiles: Sequence[float] = (),
        sd: bool = False,
        members: int = 0,
        seed: int = 0,
    ) -> dict[str, np.ndarray[Any, Any]]:
        return {"mean": np.full(len(next(iter(columns.values()))), self.value)}

    def summary(self) -> Table:
        return Table(pd.DataFrame({"parameter": ["mean"], "value": [self.value]}), {"value": "g"})

    def report(self) -> str:
        return f"mean of {self.rows} rows: {self.value:.6g}"

    def state(self) -> State:
        return State({"rows": self.rows}, {"value": np.array(self.value)})


def run_numbers(params: NumbersParams, ctx: Context) -> Table:
    _begin("numbers")
    frame = pd.DataFrame({"y": np.random.default_rng(params.seed).normal(size=params.rows)})
    return Table(frame, {"y": "g"}, notes=(Note("SQ802", "3 rows left out"),))


def run_field(params: FieldParams, ctx: Context) -> Grid:
    _begin("field")
    if params.after is not None:
        ctx.table(params.after)
    if params.note == "fails":
        raise SoilqlError(Diagnostic("SQ702", "the grid is unreadable", ctx.block.name_span))
    lat, lon = np.arange(80.0, -90.0, -20.0), np.arange(-170.0, 180.0, 20.0)
    values = xr.DataArray(lat[:, None] + lon[None, :], dims=("lat", "lon"), coords={"lat": lat, "lon": lon})
    data = values.astype("f4").to_dataset(name="x").chunk({"lat": 3})
    data.x.attrs["units"] = "g"
    return Grid(data, notes=(Note("SQ802", params.note),) if params.note else ())


def run_mean(params: MeanParams, ctx: Context) -> Mean:
    _begin("mean")
    if params.data is None:
        models: list[Any] = [ctx.model(ref) for ref in params.of]
        return Mean(float(np.mean([model.value for model in models])), models[0].rows)
    y = ctx.table(params.data).frame["y"]
    return Mean(float(y.mean()), len(y))


def run_scale(params: ScaleParams, ctx: Context) -> Grid:
    _begin("scale")
    grid = ctx.grid(params.on)
    model: Any = ctx.model(params.model)
    data = xr.Dataset({"product": (grid.data["x"] * model.value).astype("f4")})
    data["product"].attrs["units"] = "g"
    return Grid(data)


def run_score(params: ScoreParams, ctx: Context) -> Table:
    _begin("score")
    rows = []
    for ref in params.models:
        table = ctx.trainings[ref.block]()
        for i in range(len(table.frame)):
            keep = np.arange(len(table.frame)) != i
            fitted: Any = ctx.refits[ref.block](keep)
            rows.append((ref.block, table.frame["y"][i], fitted.value, fitted.rows))
    frame = pd.DataFrame(rows, columns=["model", "observed", "predicted", "rows"])
    return Table(pd.DataFrame({"n": [len(frame)]}), extras={"predictions": Table(frame, {"observed": "g"})})


def run_break(params: BreakParams, ctx: Context) -> Value:
    _begin("break")
    if params.data is not None:
        ctx.table(params.data)
    if params.how == "interrupt":
        raise KeyboardInterrupt
    if params.how == "memory":
        raise MemoryError
    if params.how == "full":
        raise OSError(28, os.strerror(28), str(ctx.scratch / "x"))
    if params.how == "fit":
        raise ctx.error("SQ801", "the fit failed", "how")
    if params.how == "statistics":
        raise SoilqlError(Diagnostic("SQ812", "some values are infinite"))
    raise ValueError("operands could not be broadcast\ntogether")


def run_check(params: BreakParams, ctx: Context) -> Table:
    _begin("check")
    assert params.data is not None
    return ctx.table(params.data)


def _begin(name: str) -> None:
    RAN.append(name)
    time.sleep(NAP["seconds"])


def _load_mean(state: State, params: Any) -> Mean:
    return Mean(float(state.arrays["value"]), state.meta["rows"])


def make_kind(section: str, name: str, params: type[Params], produces: ValueType, run: Any, **extra: Any) -> Kind:
    """Return a kind that no file stands for."""
    module = ModuleType(f"fake_{name}", f"The kind {name}.")
    vars(module).update({"Params": params, "VERSION": 1, "PRODUCES": produces, "run": run, **extra})
    return Kind(section, name, module)


KINDS = {
    (kind.section, kind.name): kind
    for kind in (
        make_kind("datasets", "numbers", NumbersParams, ValueType.TABLE, run_numbers),
        make_kind("datasets", "field", FieldParams, ValueType.GRID, run_field, STORED=False),
        make_kind("models", "mean", MeanParams, ValueType.MODEL, run_mean, load=_load_mean),
        make_kind("analyses", "scale", ScaleParams, ValueType.GRID, run_scale),
        make_kind("analyses", "score", ScoreParams, ValueType.TABLE, run_score),
        make_kind("analyses", "break", BreakParams, ValueType.TABLE, run_break),
        make_kind("analyses", "check", BreakParams, ValueType.TABLE, run_check),
        make_kind("datasets", "break", BreakParams, ValueType.TABLE, run_break),
    )
}


def compile_study(text: str = STUDY) -> tuple[Spec, Plan]:
    """Compile a spec of the made-up kinds."""
    find = mock.patch.object(kinds, "find", lambda section, name: KINDS.get((section, name)))
    names = mock.patch.object(kinds, "names", lambda section: tuple(n for s, n in KINDS if s == section))
    with find, names:
        spec = build(parse_yaml(Source("study.yaml", text)), {})
        assert spec.ok, spec.diagnostics
        return spec, make_plan(spec)


def run_study(
    folder: Path, text: str = STUDY, *, store: Path | None = None, progress: Progress | None = None
) -> Report:
    """Run a study into ``folder/out`` with the store ``folder/store``."""
    spec, plan = compile_study(text)
    RAN.clear()
    return execute(
        plan,
        Store(store or folder / "store"),
        spec=spec,
        out=folder / "out",
        resources=Resources(64 << 20, 2),
        progress=progress or Quiet(),
    )


def run_alone(folder: Path, store: Path | None = None, nap: float = 0.0, die_at: int = 0) -> None:
    """Run the study in this process, which may kill itself when it touches the disk for the n-th time."""
    NAP["seconds"] = nap
    if die_at:
        _die_at(die_at)
    report = run_study(folder, store=store)
    os._exit(0 if report.ok else 1)


def _die_at(count: int) -> None:
    touched = {"times": 0}

    def wrap(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            touched["times"] += 1
            if touched["times"] == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        setattr(owner, name, counted)

    for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir")):
        wrap(owner, name)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files of a run folder but its log."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "log"
    }


assert isinstance(Mean(0.0, 1), Fitted)
