"""Download one file by its sha256: it is there whole and right, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from soilql.errors import Diagnostic, SoilqlError
from soilql.fingerprint import file_sha256

ATTEMPTS = 3
TIMEOUT_SECONDS = 60
_PUT_IT_THERE = "put the file in a folder named by the environment variable SOILQL_DATA"


def download(url: str, target: Path, sha256: str, *, data_set: str) -> None:
    """Download a file to `target`, through a temporary file beside it.

    Parameters
    ----------
    url : str
    target : Path
        Replaced only by a file of the right sum; its folder is made.
    sha256 : str
        Of the file's bytes.
    data_set : str
        Name of the data set, for messages.

    Raises
    ------
    SoilqlError
        SQ901 when the file cannot be written, SQ902 when the server refuses or the download breaks off, SQ903 for a
        wrong sum, SQ904 when the host cannot be reached or SOILQL_OFFLINE is set. No part of a file is left behind.
    """
    if is_offline():
        why = "SOILQL_OFFLINE is set"
        raise _failure("SQ904", f"data set `{data_set}` is not at hand and may not be downloaded: {why}", url)
    try:
        with _temporary_beside(target) as part:
            _fetch_with_retries(url, part, data_set)
            found = file_sha256(part)
            if found != sha256:
                message = f"data set `{data_set}`: the downloaded `{target.name}` is not the file the registry names"
                notes = (f"expected sha256 {sha256}", f"received sha256 {found}")
                raise _failure("SQ903", message, url, notes)
            part.replace(target)
    except OSError as error:
        message = f"data set `{data_set}`: cannot write `{target}`: {error.strerror or error}"
        help = "free some space" if error.errno == errno.ENOSPC else "name a folder you may write to in SOILQL_CACHE"
        raise SoilqlError(Diagnostic("SQ901", message, help=help)) from error


def is_offline() -> bool:
    """Return whether SOILQL_OFFLINE forbids the network."""
    return os.environ.get("SOILQL_OFFLINE", "").lower() not in ("", "0", "false", "no")


@contextlib.contextmanager
def _temporary_beside(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _fetch_with_retries(url: str, part: Path, data_set: str) -> None:
    for attempt in range(ATTEMPTS):
        try:
            _fetch(url, part, data_set)
            return
        except _InterruptedError as error:
            if attempt == ATTEMPTS - 1:
                message = f"data set `{data_set}`: the download broke off {ATTEMPTS} times: {error}"
                raise _failure("SQ902", message, url) from error


class _InterruptedError(Exception):
    """A download that may succeed when tried again."""


def _fetch(url: str, part: Path, data_set: str) -> None:
    import requests
    from pooch.downloaders import HTTPDownloader

    on_terminal = sys.stderr.isatty()
    if not on_terminal:
        sys.stderr.write(f"downloading {data_set}: {url}\n")
    fetch = HTTPDownloader(progressbar=on_terminal, timeout=TIMEOUT_SECONDS)  # type: ignore[no-untyped-call]
    try:
        fetch(url, str(part), None)
    except requests.HTTPError as error:
        response = error.response
        answer = "an error" if response is None else f"{response.status_code} {response.reason}"
        if response is not None and response.status_code >= 500:
            raise _InterruptedError(f"the server answered {answer}") from error
        message = f"data set `{data_set}`: the server answered {answer}"
        raise _failure("SQ902", message, url) from error
    except (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.SSLError) as error:
        raise _unreachable(data_set, url, error) from error
    except requests.ConnectionError as error:
        if _broke_off(error):
            raise _InterruptedError("the connection was closed early") from error
        raise _unreachable(data_set, url, error) from error
    except (requests.exceptions.ChunkedEncodingError, requests.Timeout) as error:
        raise _InterruptedError("the connection was closed early") from error
    except requests.RequestException as error:
        raise _failure("SQ902", f"data set `{data_set}`: the download failed: {error}", url) from error


def _broke_off(error: Exception) -> bool:
    from urllib3.exceptions import ProtocolError, ReadTimeoutError

    return bool(error.args) and isinstance(error.args[0], ProtocolError | ReadTimeoutError)


def _unreachable(data_set: str, url: str, error: Exception) -> SoilqlError:
    from urllib.parse import urlsplit

    message = f"data set `{data_set}` is not at hand and `{urlsplit(url).hostname}` cannot be reached"
    return _failure("SQ904", message, url, (f"{type(error).__name__}: {error}",))


def _failure(code: str, message: str, url: str, notes: tuple[str, ...] = ()) -> SoilqlError:
    again = " and unset SOILQL_OFFLINE" if is_offline() else ""
    help = f"{_PUT_IT_THERE}, or try again with a connection{again}"
    if code == "SQ903":
        help = f"the source may have changed; {_PUT_IT_THERE}"
    return SoilqlError(Diagnostic(code, message, help=help, notes=(f"address: {url}", *notes)))
