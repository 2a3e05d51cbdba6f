"""The hyperparameters of a zone: searched in its rows, or kept from the fit to all rows where the block says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from soilql.context import Context
from soilql.errors import SoilqlError
from soilql.fits.feature_params import FeatureParams
from soilql.fits.learner_data import Training
from soilql.fits.tuning import axes
from soilql.fits.tuning_search import Search, Try, search


def tuned(params: FeatureParams, ctx: Context, zone: str, data: Training, attempt: Try) -> Search | None:
    """Return the search of a zone; None for a block without `tune`.

    Parameters
    ----------
    params : FeatureParams
        Of the block.
    ctx : Context
        Its world; where the model is fitted anew it knows the fit to all rows.
    zone : str
        Name of the zone.
    data : Training
        Its rows.
    attempt : callable
        See :func:`soilql.fits.tuning_search.search`.

    Raises
    ------
    SoilqlError
        The search goes over what cannot be (SQ120, SQ123), or no candidate could be fitted (SQ801).
    """
    if params.tune is None:
        return None
    if not params.tune.nested and ctx.whole is not None:
        kept = _of_whole(ctx.whole(), zone)
        if kept is not None:
            words = "hyperparameters were tuned on all rows, those held out among them: scores are optimistic"
            return replace(kept, said=[("SQ650", words)])
    found, problems = axes(ctx.block, params.TUNABLE)
    if problems:
        raise SoilqlError(problems)
    return search(params.tune, found, data, attempt)


def _of_whole(whole: Any, zone: str) -> Search | None:
    """Return the search of a zone by the model fitted to all rows; None where it has no such zone or fit."""
    for model in (whole, whole.fallback):
        for code, status in enumerate(() if model is None else model.statuses):
            if status.zone == zone and code in model.fits:
                found: Search | None = model.fits[code].search
                return found
    return None
