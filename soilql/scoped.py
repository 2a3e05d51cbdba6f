"""A block of a recipe run under the names of its own file, so that its results are those of the recipe run alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from soilql.kinds import Block, Kind
from soilql.references import absolute, as_seen_inside, relative, scope_of
from soilql.values import State, Value

if TYPE_CHECKING:
    from soilql.context import Context

T = TypeVar("T")


@dataclass(frozen=True)
class ScopedKind(Kind):
    """The kind of a block in a recipe.

    Attributes
    ----------
    scope : str
        The alias of the recipe.
    local : Block
        The block under the names of its own file.
    """

    scope: str
    local: Block

    @property
    def run(self) -> Callable[[Any, Context], Value]:
        inner = super().run

        def run_inside(params: Any, ctx: Context) -> Value:
            seen = replace(
                ctx,
                block=self.local,
                inputs=_Inside(ctx.inputs, self.scope),
                refits=_Inside(ctx.refits, self.scope),
                trainings=_Inside(ctx.trainings, self.scope),
            )
            return inner(self.local.params, seen)

        return run_inside

    @property
    def load(self) -> Callable[[State, Any], Value]:
        inner = super().load
        return lambda state, params: inner(state, self.local.params)


def scoped(kind: Kind, block: Block) -> Kind:
    """Return the kind by which a block is run."""
    scope = scope_of(block.name)
    return ScopedKind(kind.section, kind.name, kind.module, scope, as_seen_inside(block)) if scope else kind


class _Inside(Mapping[str, T]):
    """A mapping by names of blocks, under the names that they have inside a scope."""

    def __init__(self, outside: Mapping[str, T], scope: str) -> None:
        self._outside = outside
        self._scope = scope

    def __getitem__(self, name: str) -> T:
        return self._outside[absolute(name, self._scope)]

    def __iter__(self) -> Iterator[str]:
        return (relative(name, self._scope) for name in self._outside)

    def __len__(self) -> int:
        return len(self._outside)
