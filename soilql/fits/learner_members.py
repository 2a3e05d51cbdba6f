"""Monte Carlo members of learners: fits made anew when they are first asked for, and kept while the model lives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.fits.learner_data import Floats, Training

#: Members whose standard deviation is the `sd` of a learner.
SD_MEMBERS = 100

Predictor = Callable[[Floats], Floats]
Fit = Callable[[Training, "int | None"], Any]

# Blocks of a map ask for the same members from several threads; the first one makes them.
_LOCK = threading.RLock()
_KEPT = 4


@dataclass(eq=False)
class Refits:
    """Members of one zone.

    The fits themselves are not stored: they follow from the stored training rows, the settings and the seed, and are
    the same whenever and wherever they are made. Five hundred of them would take a hundred times the room of the
    model, for a use that often never comes.

    Attributes
    ----------
    data : Training
        All rows of the zone.
    fits : sequence of callable
        ``fit(rows, seed)`` by each setting that a member may have: one, or the candidates of a search. A seed of None
        leaves that of the settings.
    resampled : bool
        Whether a member is fitted to rows drawn with replacement, whole sites at a time; otherwise to all rows.
    together : callable
        ``together(models, drawn, data)`` returns a function that predicts by all of them.
    """

    data: Training
    fits: Sequence[Fit]
    resampled: bool
    together: Callable[[Sequence[Any], Sequence[NDArray[Any]], Training], Predictor]
    _made: dict[Any, list[tuple[Any, NDArray[Any]]]] = field(default_factory=dict)
    _by_setting: dict[int, Any] = field(default_factory=dict)
    _ready: dict[Any, Predictor] = field(default_factory=dict)

    def predict(self, X: Floats, count: int, seed: np.random.SeedSequence) -> Floats:
        """Return the predictions of the first members of a seed, shape (count, n)."""
        return self._predictor(count, seed)(X)

    def _predictor(self, count: int, seed: np.random.SeedSequence) -> Predictor:
        key = (str(seed.entropy), seed.spawn_key)
        with _LOCK:
            if (*key, count) not in self._ready:
                made = self._made.setdefault(key, [])
                made += [self._member(seed, number) for number in range(len(made), count)]
                models, drawn = zip(*made[:count], strict=True)
                if len(self._ready) >= _KEPT:
                    self._ready.clear()
                self._ready[*key, count] = self.together(models, drawn, self.data)
            return self._ready[*key, count]

    def _member(self, seed: np.random.SeedSequence, number: int) -> tuple[Any, NDArray[Any]]:
        own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))
        rng = np.random.default_rng(own)
        every = np.arange(self.data.count)
        if self.resampled:
            drawn = draw(self.data.sites, self.data.count, rng)
            return self.fits[0](self.data.rows(drawn), int(rng.integers(2**32))), drawn
        setting = int(rng.integers(len(self.fits)))
        if setting not in self._by_setting:
            self._by_setting[setting] = self.fits[setting](self.data, None)
        return self._by_setting[setting], every


def draw(sites: NDArray[np.int64] | None, n: int, rng: np.random.Generator) -> NDArray[Any]:
    """Return rows drawn with replacement: as many sites as there are, each with all of its rows.

    Rows of one site say much the same; drawing them apart would make the spread of members too small (Davison &
    Hinkley 1997, section 3.8). Where all rows are of one site, rows are drawn.

    Examples
    --------
    >>> drawn = draw(np.array([7, 7, 8]), 3, np.random.default_rng(0))
    >>> set(drawn.tolist()) in ({0, 1}, {2}, {0, 1, 2})
    True
    """
    labels, codes = np.unique(np.arange(n) if sites is None else sites, return_inverse=True)
    if labels.size < 2:
        return rng.integers(n, size=n)
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes))])
    taken = rng.integers(labels.size, size=labels.size)
    return np.concatenate([order[starts[one] : starts[one + 1]] for one in taken])


def apart(models: Sequence[Any], drawn: Sequence[NDArray[Any]], data: Training) -> Predictor:
    """Return a function that predicts by one fit after the other; a fit that occurs twice is asked once."""
    del drawn, data
    first = {id(model): i for i, model in reversed(list(enumerate(models)))}

    def predict(X: Floats) -> Floats:
        out = np.empty((len(models), len(X)))
        for i, model in enumerate(models):
            out[i] = model.predict(X) if first[id(model)] == i else out[first[id(model)]]
        return out

    return predict
