"""Runs the server until somebody stops it."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import TYPE_CHECKING

import uvicorn

from runhaven.errors import UsageError
from runhaven_server.access import Access
from runhaven_server.app import create_app
from runhaven_server.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DEFAULT_PORT = 7878


def serve(
    store: Path,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    root_path: str = "",
    allowed_hosts: Sequence[str] = (),
    on_ready: Callable[[str], None],
) -> None:
    """Serve a store until Ctrl-C.

    Args:
        store: The store's directory.
        host: Address to listen on.
        port: Port; if it is taken, any free one. 0 stands for any free one.
        root_path: The URL prefix that a proxy puts before the server.
        allowed_hosts: More names that the server answers to.
        on_ready: Called with the address that signs in one browser.

    Raises:
        UsageError: If the address cannot be listened on.
    """
    access = Access(store)
    app = create_app(
        store,
        access=access,
        hosts=Hosts.serving(host, tuple(allowed_hosts)),
        prefix=root_path,
        trust_prefix_header=bool(root_path),
    )
    listening = listen(host, port)
    number = listening.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    prefix = root_path.strip("/")
    on_ready(f"http://{name}:{number}/{f'{prefix}/' if prefix else ''}?code={access.issue_code()}")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, ws="websockets-sansio"
    )
    with contextlib.suppress(KeyboardInterrupt), listening:
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket on the port, or on any free one if it is taken.

    Raises:
        UsageError: If the address is not one of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (port, 0):
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, wanted))
            listening.listen(128)
        except OSError as error:
            listening.close()
            if error.errno != errno.EADDRINUSE or wanted == 0:
                message = f"cannot listen on {host}:{port}: {error.strerror}. Choose another --host or --port."
                raise UsageError(message) from error
        else:
            return listening
    raise AssertionError
