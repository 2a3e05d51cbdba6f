"""There are too few rows or groups for the folds.

Each fold needs at least one row, and with `group` at least one whole group, to be tested on. Ask for fewer folds or
group by something finer. How many sites and years there are is known beforehand for simulated data; of other data it
is found out when they are read.

Bad::

    sites: {kind: simulate, on: planet, sites: 5, seed: 1}
    ...
    by_place: {kind: kfold, folds: 10, group: site}

Good::

    by_place: {kind: kfold, folds: 5, group: site}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic
from soilql.spec import Spec

CODE = "SQ606"
TITLE = "too few rows or groups for the folds"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield an error for each k-fold scheme with more folds than a simulation has rows, sites or years."""
    seen = set()
    for trial in design.trials(spec):
        table = design.sites(spec, str(getattr(trial.model.params, "data", "")))
        if trial.scheme.kind != "kfold" or table is None or table.kind != "simulate" or trial.scheme.name in seen:
            continue
        params, folds, group = table.params, trial.scheme.params.folds, trial.scheme.params.group
        years = len(params.years or (0,))
        counts = {None: params.sites * years * params.replicates, "site": params.sites, "year": years, "time": years}
        count = counts.get(group)
        if count is not None and folds > count:
            seen.add(trial.scheme.name)
            what = "rows" if group is None else "sites" if group == "site" else "years"
            message = f"{folds} folds asked of the {count} {what} of `{table.name}`"
            yield Diagnostic(CODE, message, trial.scheme.span("folds"), help=f"ask for at most {count} folds")
