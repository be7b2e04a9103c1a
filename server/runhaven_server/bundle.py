"""Serves the built dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.staticfiles import StaticFiles

from runhaven_server import page

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
_FOREVER = "public, max-age=31536000, immutable"


class Bundle(StaticFiles):
    """The dashboard's files: those with a hash in their name may be kept for ever, the page itself never."""

    def __init__(self, directory: Path = STATIC) -> None:
        """Serve what lies in `directory`, built or not."""
        self._root = directory
        super().__init__(directory=directory, html=True, check_dir=False)

    async def check_config(self) -> None:
        """Accept that the directory is missing: `get_response` then says what to do."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file; without a built dashboard, a page that says how to build it."""
        if not (self._root / "index.html").is_file():
            text = "This installation lacks the dashboard's files. In a clone of the repository, build them with:"
            return page.notice("The dashboard is not built", text, command="pip install .", status=503)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _FOREVER if path.startswith("assets/") else "no-cache"
        return response
