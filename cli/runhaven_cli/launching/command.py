"""Reads what stands behind `runhaven run`: which program it is, and whether it is a Python that has Runhaven."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runhaven.errors import UsageError
from runhaven.launch import BOOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PYTHON = re.compile(r"(?:python|pypy)[\d.]*t?")
_PROBE_TIMEOUT_S = 30.0
# Options of Python's that keep it from running what stands before a program.
_SHUT = frozenset("EIS")


class NotFoundError(click.ClickException):
    """There is no such program; the exit code is what a shell's would be."""

    exit_code = 127


class NotExecutableError(click.ClickException):
    """The program may not be executed; the exit code is what a shell's would be."""

    exit_code = 126


@dataclass(frozen=True)
class Command:
    """A program to start.

    Attributes:
        path: Its file.
        argv: Its command line.
        is_ours: Whether it is a Python program that can import Runhaven, and so opens the run itself.
    """

    path: str
    argv: list[str]
    is_ours: bool

    def environment(self, added: Mapping[str, str]) -> dict[str, str]:
        """Return the environment to start it in.

        Args:
            added: More variables.
        """
        places = [str(BOOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(places), **added}


def resolve(words: Sequence[str]) -> Command:
    """Find the program of a command line; a Python file and `-m module` need no `python` before them.

    Raises:
        UsageError: If there is no command.
        NotFoundError: If there is no such program.
        NotExecutableError: If it may not be executed.
    """
    if not words:
        message = "there is nothing to run; put a command behind the options: runhaven run -- python train.py"
        raise UsageError(message)
    argv = [sys.executable, *words] if words[0] == "-m" or words[0].endswith(".py") else list(words)
    if argv[0] == sys.executable and words[0] != "-m" and not Path(words[0]).is_file():
        message = f"{words[0]} does not exist in {Path.cwd()}; check the path."
        raise NotFoundError(message)
    path = shutil.which(argv[0])
    if path is None and Path(argv[0]).exists():
        message = f"{argv[0]} may not be executed; name the program that runs it, or make it one: chmod +x {argv[0]}"
        raise NotExecutableError(message)
    if path is None:
        message = f"the command {argv[0]!r} is not found; check its spelling, and PATH."
        raise NotFoundError(message)
    return Command(path, argv, _is_ours(path, argv[1:]))


def _is_ours(path: str, arguments: Sequence[str]) -> bool:
    interpreter = interpreter_of(path)
    if interpreter is None or (interpreter == path and is_shut(arguments)):
        return False
    if interpreter == sys.executable:
        return True
    probe = [interpreter, "-c", "import runhaven.launch.program"]
    try:
        return subprocess.run(probe, capture_output=True, timeout=_PROBE_TIMEOUT_S, check=False).returncode == 0  # noqa: S603 - the program that is about to run
    except (OSError, subprocess.TimeoutExpired):
        return False


def interpreter_of(path: str) -> str | None:
    """Return the Python that a file is, or that its first line names; None if it is another program."""
    if _PYTHON.fullmatch(Path(path).name):
        return path
    try:
        with Path(path).open("rb") as file:
            head = file.read(1024).decode("utf-8", "replace")
    except OSError:
        return None
    first, _, rest = head.partition("\n")
    if not first.startswith("#!"):
        return None
    # Installers put a path that is long or has spaces into a line of shell below the first: '''exec' "/a path/python" ...
    words = _split(rest.partition("\n")[0])[1:] if rest.startswith("'''exec'") else _split(first[2:])
    if words[:1] == ["/usr/bin/env"]:
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if not words or not _PYTHON.fullmatch(Path(words[0]).name):
        return None
    return shutil.which(words[0])


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []


def is_shut(arguments: Sequence[str]) -> bool:
    """Tell whether options of Python's keep it from reading its environment or from `sitecustomize`.

    Args:
        arguments: What stands behind the interpreter.
    """
    words = iter(arguments)
    for word in words:
        if not word.startswith("-") or word.startswith("--") or word in ("-", "-c", "-m"):
            return False
        if word in ("-W", "-X"):
            next(words, None)
        elif word[1] not in "WXcm" and _SHUT & set(word):
            return True
    return False
