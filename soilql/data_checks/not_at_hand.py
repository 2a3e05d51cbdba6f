"""A data set of the registry is not on this machine, so that it could not be looked at.

Nothing is downloaded while a spec is linted, as data sets can be large. What is made from this one was not looked at
either; all the rest was.

Bad::

    soilql lint --data study.yaml           # `registry:srdb-v5` was never fetched

Good::

    soilql data fetch srdb-v5
    soilql lint --data study.yaml           # or: soilql lint --data --fetch study.yaml
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ740"
TITLE = "data set that is not on this machine"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield nothing: the study itself says so when it asks for the data."""
    yield from ()
