"""Parameters that the kinds of forests share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from soilql.fits.feature_params import FeatureParams
from soilql.params import Problem, param


@dataclass(frozen=True, kw_only=True)
class ForestParams(FeatureParams):
    """What is modelled, and how the trees are grown."""

    TUNABLE: ClassVar[tuple[str, ...]] = ("trees", "min_leaf", "max_features", "max_depth", "bootstrap")

    min_rows: int | None = param(
        None, ge=2, doc="Fewest complete rows of a zone that gets a forest; by default twice `min_leaf`."
    )
    trees: int = param(500, ge=1, le=100_000, doc="Number of trees (NumTrees in MATLAB, `ntree` in R).")
    min_leaf: int = param(5, ge=1, doc="Fewest rows of a leaf (R's `nodesize`).")
    max_features: int | float | Literal["sqrt", "third", "all"] = param(
        "third",
        gt=0,
        doc="Features tried at each split: a whole number, a share such as 0.5, `sqrt`, `all`, or `third` of them as "
        "R's packages do for regression (R's `mtry`, MATLAB's NumPredictorsToSample). The levels of a category count "
        "as features.",
    )
    max_depth: int | None = param(None, ge=1, doc="Deepest level of a tree; unlimited by default.")
    bootstrap: bool = param(True, doc="Whether each tree is grown on rows drawn with replacement.")
    seed: int = param(1, ge=0, le=2**32 - 1, doc="Seed of the rows and features drawn.")
    members_from: Literal["trees", "resample", "rows", "tuned"] = param(
        "trees",
        doc="What a Monte Carlo member is: `trees`, a single tree (each a bootstrap replicate of the training rows); "
        "`resample`, the mean of as many trees drawn anew with replacement; `rows`, a forest grown anew on rows drawn "
        "with replacement, whole sites at a time; `tuned`, the forest of one of the candidates of `tune`, drawn at "
        "random.",
    )

    member_trees: int = param(
        100,
        ge=1,
        le=100_000,
        doc="Trees of each member of `members_from: rows`, of which hundreds are grown; fewer trees add some noise to "
        "the spread of members.",
    )

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.max_features, float) and self.max_features > 1:
            yield "`max_features` as a share is at most 1", "max_features"
        if self.members_from == "tuned" and self.tune is None:
            yield "`members_from: tuned` draws among the candidates of `tune`, of which there are none", "members_from"

    @property
    def needed(self) -> int:
        """Fewest rows of a zone: with fewer than two leaves a forest is a constant."""
        return self.min_rows if self.min_rows is not None else max(2, 2 * self.min_leaf)
