"""Parameters that support vector machines, networks and boosted trees share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from soilql.fits.feature_params import FeatureParams
from soilql.params import Problem, param

#: Rows without which a learner is not fitted, unless the block says otherwise.
FEWEST = 10


@dataclass(frozen=True, kw_only=True)
class LearnerParams(FeatureParams):
    """What is modelled, from what, and how its Monte Carlo members are made."""

    min_rows: int | None = param(None, ge=2, doc=f"Fewest complete rows of a zone that is fitted; by default {FEWEST}.")
    seed: int = param(1, ge=0, le=2**32 - 1, doc="Seed of whatever the fit draws at random.")
    members_from: Literal["rows", "tuned"] = param(
        "rows",
        doc="What a Monte Carlo member is: `rows`, a fit to rows drawn anew with replacement, whole sites at a time "
        "where the table has sites (features keep the scaling of the fit to all rows); `tuned`, a fit with one of the "
        "candidates of `tune`, drawn at random, to all rows.",
    )

    def problems(self) -> Iterator[Problem]:
        if self.members_from == "tuned" and self.tune is None:
            yield "`members_from: tuned` draws among the candidates of `tune`, of which there are none", "members_from"

    @property
    def needed(self) -> int:
        """Fewest rows of a zone that is fitted."""
        return FEWEST if self.min_rows is None else self.min_rows
