"""The hosts of remote files: what they say of a file without it being read, and its bytes.

Loaded when a host is asked: what speaks HTTP takes longer to load than a small file to store.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runhaven.artifacts.reference import BrokenOffError, Known
from runhaven.errors import NotFoundError
from runhaven.missing import require
from runhaven.platform.files import write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from io import FileIO
    from pathlib import Path

_TIMEOUT_S = 30
_ATTEMPTS = 5
_PAUSE_S = 0.2
_BLOCK = 1 << 18


def ask(uri: str) -> Known:
    """Return what the host of a remote file says of it.

    Raises:
        NotFoundError: If it cannot be asked, or there is no such file.
        ImportError: If the package that asks it is missing.
    """
    scheme = urlsplit(uri).scheme
    if scheme not in _HOSTS:
        message = f"{uri} cannot be asked for: the scheme {scheme!r} is not known."
        raise NotFoundError(message)
    return _HOSTS[scheme][0](uri)


def bring(uri: str, target: Path) -> None:
    """Write a remote file to a new one.

    Raises:
        NotFoundError: If it cannot be reached.
        ImportError: If the package that gets it is missing.
        OSError: If the target cannot be written.
    """
    _HOSTS[urlsplit(uri).scheme][1](uri, target)


def go_on(uri: str, file: FileIO, known: Known, count: Callable[[int], None]) -> None:
    """Append to a file what it lacks of a file that is reached by HTTP; see `reference.go_on`.

    Raises:
        BrokenOffError: If the host broke off again and again.
        NotFoundError: If it cannot be reached, or has no such file any more.
        OSError: If the file cannot be written.
    """
    reason: object = None
    told = 0

    def tell() -> None:
        nonlocal told
        done = file.tell()
        count(done - told)
        told = done

    for attempt in range(_ATTEMPTS):
        time.sleep(_PAUSE_S * attempt)
        try:
            if _append(uri, file, known, tell):
                return
            reason = "the connection was closed"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise _unreachable(uri, error) from error
            file.truncate(0)
            reason = error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = error
            if not file.seek(0, os.SEEK_END):
                raise _unreachable(uri, error) from error
    message = f"{uri} broke off {_ATTEMPTS} times: {reason}. What came is kept: download again to go on from there."
    raise BrokenOffError(message)


def _append(uri: str, file: FileIO, known: Known, tell: Callable[[], None]) -> bool:
    """Write what a file lacks behind what it holds (RFC 9110, 13.1.5 and 14); False if that came in part."""
    at = file.seek(0, os.SEEK_END)
    if at and at == known.size:
        tell()
        return True
    headers = {"Range": f"bytes={at}-", "If-Range": f'"{known.etag}"'} if at and at < (known.size or at + 1) else {}
    with urllib.request.urlopen(urllib.request.Request(uri, headers=headers), timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the scheme was checked
        is_rest = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        if not is_rest:
            file.seek(0)
            file.truncate()
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {at}-"):
            file.truncate(0)
            return False
        while block := answer.read(_BLOCK):
            write_all(file.fileno(), block)
            tell()
        return not answer.length


def _ask_http(uri: str) -> Known:
    with _open_http(urllib.request.Request(uri, method="HEAD")) as answer:  # noqa: S310 - the scheme was checked
        size = answer.headers.get("Content-Length")
        etag = answer.headers.get("ETag")
        return Known(etag.strip('"') if etag else None, int(size) if size else None)


def _get_http(uri: str, target: Path) -> None:
    with _open_http(urllib.request.Request(uri)) as answer, target.open("xb") as file:  # noqa: S310 - the scheme was checked
        shutil.copyfileobj(answer, file)


@contextlib.contextmanager
def _open_http(request: urllib.request.Request) -> Generator[Any]:
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the scheme was checked
            yield answer
    except (urllib.error.URLError, TimeoutError) as error:
        raise _unreachable(request.full_url, error) from error


def _unreachable(uri: str, error: Exception) -> NotFoundError:
    return NotFoundError(f"{uri} cannot be reached: {error}. Pass checksum=False to keep the URI alone.")


def _bucket_of(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


def _s3() -> Any:
    return require("boto3", feature="asking for the size and etag of s3:// references (or pass checksum=False)").client(
        "s3"
    )


def _ask_s3(uri: str) -> Known:
    bucket, key = _bucket_of(uri)
    found = _remotely(uri, lambda: _s3().head_object(Bucket=bucket, Key=key))
    return Known(str(found["ETag"]).strip('"'), int(found["ContentLength"]))


def _get_s3(uri: str, target: Path) -> None:
    bucket, key = _bucket_of(uri)
    _remotely(uri, lambda: _s3().download_file(bucket, key, str(target)))


def _gs_blob(uri: str) -> Any:
    storage = require(
        "google.cloud.storage",
        feature="asking for the size and etag of gs:// references (or pass checksum=False)",
        package="google-cloud-storage",
    )
    bucket, key = _bucket_of(uri)
    found = _remotely(uri, lambda: storage.Client().bucket(bucket).get_blob(key))
    if found is None:
        message = f"there is no object {uri}."
        raise NotFoundError(message)
    return found


def _ask_gs(uri: str) -> Known:
    found = _gs_blob(uri)
    return Known(str(found.etag), int(found.size))


def _get_gs(uri: str, target: Path) -> None:
    _remotely(uri, lambda: _gs_blob(uri).download_to_filename(str(target)))


def _remotely(uri: str, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except (ImportError, NotFoundError):
        raise
    except Exception as error:
        raise _unreachable(uri, error) from error


_HOSTS: dict[str, tuple[Callable[[str], Known], Callable[[str, Path], None]]] = {
    "http": (_ask_http, _get_http),
    "https": (_ask_http, _get_http),
    "s3": (_ask_s3, _get_s3),
    "gs": (_ask_gs, _get_gs),
}
