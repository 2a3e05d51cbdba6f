"""A short run of the fuzzer's checks on texts made at random from a seed; `python -m tests.fuzz` runs for longer."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import corpus
from tests.fuzz.limit import TooSlowError, limited
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS

SEED = 20
#: Texts of each target; together they take a few seconds.
TEXTS = {
    "yaml": 300, "soilql": 150, "expression": 300, "layout-yaml": 200, "layout-soilql": 100, "convert-yaml": 60,
    "convert-soilql": 60, "lint-yaml": 60, "lint-soilql": 40,
}  # fmt: skip


@pytest.mark.parametrize("target", TEXTS)
def test_random_texts(target: str) -> None:
    check, seeds = TARGETS[target]
    texts = [text for text in seeds() if len(text) <= corpus.LONGEST]
    rng = random.Random(f"{SEED} {target}")
    for _ in range(TEXTS[target]):
        text = mutated(rng.choice(texts), rng, texts)
        try:
            with limited(10):
                check(text)
        except Exception as error:
            raise AssertionError(f"{target} fails for {text!r}") from error


@pytest.mark.parametrize("target", ["yaml", "soilql", "expression"])
def test_the_seeds_themselves(target: str) -> None:
    check, seeds = TARGETS[target]
    assert len(seeds()) > 50
    for text in seeds():
        check(text)


def test_mutations_are_reproducible_and_change_something() -> None:
    texts = corpus.specs("yaml")
    twice = [[mutated(texts[0], random.Random(seed), texts) for seed in range(50)] for _ in range(2)]
    assert twice[0] == twice[1]
    assert sum(text != texts[0] for text in twice[0]) > 45


def test_a_limit_ends_what_takes_too_long() -> None:
    with pytest.raises(TooSlowError), limited(0.05):
        while True:
            pass
