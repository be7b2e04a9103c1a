"""Who may use the server: one-time codes that become sessions, kept where a restart finds them."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
import time
from pathlib import Path

from runhaven.errors import StoreError
from runhaven.store.directory import cache_directory

CODE_LIFETIME_S = 15 * 60
SESSION_LIFETIME_S = 30 * 24 * 3600


class Access:
    """Issues codes and checks sessions of one store; all servers of the same user and store share them.

    A secret is never kept: a file named after its SHA-256 digest is. Looking a secret up by its digest tells a
    stopwatch nothing about the secret, and removing a file happens once, so that a code works once, even when two
    servers are asked at the same instant.

    Attributes:
        cookie: Name of the cookie. Cookies ignore ports, so it differs from store to store.
    """

    def __init__(self, store: Path, *, directory: Path | None = None) -> None:
        """Prepare the directory that holds the digests.

        Args:
            store: The store that the server shows.
            directory: Where digests are kept; default: this user's cache.

        Raises:
            StoreError: If the directory belongs to somebody else.
        """
        fingerprint = hashlib.sha256(os.fsencode(store.resolve())).hexdigest()[:16]
        self.cookie = f"runhaven_{fingerprint}"
        self._directory = _private_directory((directory or cache_directory() / "sign-in") / fingerprint)
        self._sessions: dict[str, float] = {}

    def issue_code(self) -> str:
        """Return a new code; it can be redeemed once, within a quarter of an hour."""
        self._remove_expired()
        return self._keep("code", CODE_LIFETIME_S)

    def redeem(self, code: str) -> str | None:
        """Swap a code for a new session; None if the code is unknown, used or too old."""
        path = self._path("code", code)
        expires = _expiry(path)
        try:
            path.unlink()
        except OSError:
            return None
        return self._keep("session", SESSION_LIFETIME_S) if time.time() < expires else None

    def admits(self, session: str | None) -> bool:
        """Say whether a session is one of ours and still valid."""
        if not session:
            return False
        path = self._path("session", session)
        expires = self._sessions.get(path.name)
        if expires is None:
            expires = _expiry(path)
            if expires:
                self._sessions[path.name] = expires
        return time.time() < expires

    def _keep(self, kind: str, lifetime_s: float) -> str:
        secret = secrets.token_urlsafe(32)
        path = self._path(kind, secret)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        expires = time.time() + lifetime_s
        os.utime(path, (expires, expires))
        return secret

    def _path(self, kind: str, secret: str) -> Path:
        return self._directory / f"{kind}-{hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()}"

    def _remove_expired(self) -> None:
        for path in self._directory.iterdir():
            if _expiry(path) < time.time():
                path.unlink(missing_ok=True)


def _private_directory(path: Path) -> Path:
    """Create a directory that only this user can open; without a usable cache, one that lasts as long as the process.

    Raises:
        StoreError: If the directory belongs to somebody else.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
        (path / "probe").touch()
        (path / "probe").unlink(missing_ok=True)
    except PermissionError as error:
        if path.exists():
            message = (
                f"{path} belongs to another user, so that it cannot hold sign-ins. Remove it or set XDG_CACHE_HOME."
            )
            raise StoreError(message) from error
        return Path(tempfile.mkdtemp(prefix="runhaven-ui-"))
    except OSError:
        return Path(tempfile.mkdtemp(prefix="runhaven-ui-"))
    return path


def _expiry(path: Path) -> float:
    """Return when a digest expires, seconds since the epoch; 0 if it is not there. The file's time says it."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
