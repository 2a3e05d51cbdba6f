"""Pin the recipes that a spec uses: fetch what is not on this machine and write `soilql.lock` beside the spec."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from soilql.errors import Diagnostic, Severity, SoilqlError
from soilql.parse import parse_source
from soilql.recipes import Library, lock_text, read_lock
from soilql.registry.downloads import TIMEOUT_SECONDS, is_offline
from soilql.source import read_source
from soilql.spec import build

#: A recipe is a text that a person wrote; what is longer is something else.
MOST_BYTES = 4 << 20
_NOT_READ = frozenset(
    {"SQ101", "SQ102", "SQ106", "SQ134", "SQ136", "SQ137", "SQ138", "SQ139", "SQ145", "SQ146", "SQ150"}
)


@dataclass(frozen=True)
class Locked:
    """What `lock` did.

    Attributes
    ----------
    path : Path
        The lock file.
    new, changed, kept : tuple of str
        Addresses pinned now for the first time, pinned to another text, and pinned as before.
    """

    path: Path
    new: tuple[str, ...]
    changed: tuple[str, ...]
    kept: tuple[str, ...]


def lock(spec_path: Path, *, update: bool = False, local: bool = False) -> Locked:
    """Fetch the recipes that a spec uses from the network or the registry, and pin them by sha256.

    What is pinned already stays so, and what other specs of the folder pinned is left alone. A file without anything
    to pin gets no lock file.

    Parameters
    ----------
    spec_path : Path
        The spec.
    update : bool
        Whether what is pinned is fetched anew, and pinned to what it is now.
    local : bool
        Whether parents and recipes that are files of this machine are pinned too.

    Returns
    -------
    Locked
        What was done.

    Raises
    ------
    SoilqlError
        A file cannot be read or fetched: SQ101, SQ102, SQ106, SQ134, SQ137 to SQ139, SQ146, SQ902, SQ904; the lock
        file cannot be written: SQ901. Then nothing is pinned.
    """
    source = read_source(spec_path)
    source = type(source)(source.name, source.text, spec_path)
    library = Library(source, fetch, update=update)
    spec = build(parse_source(source), {}, library)
    blocking = [d for d in spec.diagnostics if d.severity is Severity.ERROR and _keeps_from_reading(d)]
    if blocking:
        raise SoilqlError(blocking)
    before = read_lock(library.lock_path)
    found = {a: sha256 for a, sha256 in library.opened.items() if local or a in library.remote or a in before}
    pins = before | found
    if pins != before:
        _write(library.lock_path, lock_text(pins))
    return Locked(
        library.lock_path,
        tuple(a for a in found if a not in before),
        tuple(a for a in found if a in before and found[a] != before[a]),
        tuple(a for a in found if before.get(a) == found[a]),
    )


def _keeps_from_reading(problem: Diagnostic) -> bool:
    """Whether a recipe behind the problem was not read; a mistake in a study does not keep it from being pinned."""
    return problem.code in _NOT_READ or problem.code.startswith("SQ9")


def fetch(address: str) -> bytes:
    """Return the bytes at an `https://` address.

    Raises
    ------
    SoilqlError
        SQ902 when the server refuses, breaks off or sends too much, SQ904 when it cannot be reached or
        SOILQL_OFFLINE is set.
    """
    import requests

    if is_offline():
        help = "unset SOILQL_OFFLINE and try again with a connection"
        raise SoilqlError(Diagnostic("SQ904", f"`{address}` may not be fetched: SOILQL_OFFLINE is set", help=help))
    try:
        with requests.get(address, timeout=TIMEOUT_SECONDS, stream=True) as answer:
            answer.raise_for_status()
            if not answer.url.startswith("https://"):
                message = f"`{address}` leads to `{answer.url}`, which anyone on the way could change"
                raise SoilqlError(Diagnostic("SQ902", message, help="name an address that stays on https"))
            content = answer.raw.read(MOST_BYTES + 1, decode_content=True)
    except requests.HTTPError as error:
        refused = error.response
        answered = "an error" if refused is None else f"{refused.status_code} {refused.reason}"
        message = f"`{address}`: the server answered {answered}"
        raise SoilqlError(Diagnostic("SQ902", message, help="check the address")) from error
    except requests.ConnectionError as error:
        message = f"`{address}` cannot be reached"
        raise SoilqlError(Diagnostic("SQ904", message, help="try again with a connection")) from error
    except (requests.RequestException, OSError) as error:
        raise SoilqlError(Diagnostic("SQ902", f"`{address}`: {error}", help="try again")) from error
    if len(content) > MOST_BYTES:
        message = f"`{address}` is longer than {MOST_BYTES >> 20} MB, and no recipe"
        raise SoilqlError(Diagnostic("SQ902", message, help="check the address"))
    return bytes(content)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        message = f"cannot write `{path}`: {error.strerror or error}"
        raise SoilqlError(Diagnostic("SQ901", message, help="check who may write to the folder")) from error
