"""What the repository says about itself is true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import runhaven
from runhaven.settings import Settings
from runhaven_cli.app import runhaven_command

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PARTS = ("core_client", "autoload", "gpu_monitor", "integrations", "server", "cli")
README = (ROOT / "README.md").read_text("utf-8")


def test_the_public_surface_is_a_list():
    """`__all__` is sorted, holds all public names, and each can be had."""
    public = set(runhaven._HOMES) | set(runhaven._SESSION) | {"run", "config", "summary"}
    tree = ast.parse((ROOT / "core_client/runhaven/__init__.py").read_text("utf-8"))
    public |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}

    assert list(runhaven.__all__) == sorted(runhaven.__all__)
    assert set(runhaven.__all__) == public
    for name in set(runhaven.__all__) - {"config", "summary"}:
        getattr(runhaven, name)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = runhaven.nonsense


def test_importing_it_takes_the_standard_library_alone():
    """`import runhaven`, and the whole client, load no package but our own."""
    code = (
        "import sys; before = set(sys.modules); import runhaven, runhaven.session; print(*(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {[str(ROOT / part) for part in PARTS]!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = {name.partition(".")[0] for name in done.stdout.split()}

    assert {name for name in found if name not in sys.stdlib_module_names} == {"runhaven", "runhaven_autoload"}


def test_each_source_root_holds_one_package():
    """Folder `<part>/` holds `runhaven_<part>` and nothing else that can be imported."""
    for part in PARTS:
        name = "runhaven" if part == "core_client" else f"runhaven_{part}"
        assert [path.name for path in (ROOT / part).iterdir() if path.name != "__pycache__"] == [name]
        assert (ROOT / part / name / "py.typed").is_file()


def test_an_integration_has_one_name_everywhere():
    """Module, extra, entry point, test file, example folder and page of an adapter bear the same name."""
    home = ROOT / "integrations/runhaven_integrations"
    modules = {path.stem for path in home.glob("*.py")} - {"__init__"}
    modules |= {path.parent.name for path in home.glob("*/__init__.py")}

    assert modules == set(PROJECT["project"]["entry-points"]["runhaven.integrations"])
    for name in modules:
        assert name in PROJECT["project"]["optional-dependencies"]
        assert (ROOT / "tests/integrations" / f"test_{name}.py").is_file()
        assert (ROOT / "examples" / name / "train.py").is_file()
        assert (ROOT / "examples" / name / "README.md").is_file()
        assert (ROOT / "docs/integrations" / f"{name}.md").is_file()
        assert f"({name}.md)" in (ROOT / "docs/integrations/index.md").read_text("utf-8")


def test_paths_that_documents_name_exist():
    """Every relative link and every path in backticks of the documents leads somewhere."""
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]:
        text = document.read_text("utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
        for path in re.findall(
            r"`((?:core_client|autoload|gpu_monitor|integrations|server|cli|tests|docs|examples|benchmarks|dashboard)/[\w./-]+)`",
            text,
        ):
            assert (ROOT / path).exists(), f"{document.name}: {path}"


def test_commands_settings_and_extras_are_documented():
    """The README names every command and extra; `Settings` says what each setting does."""
    for name in runhaven_command.commands:
        assert f"runhaven {name}" in README
    for extra in set(PROJECT["project"]["optional-dependencies"]) - {"all", "dev"}:
        assert extra in README
    for name in Settings.NAMES:
        assert re.search(rf"^        {name}: ", Settings.__doc__ or "", re.MULTILINE), name


def test_the_readmes_commands_are_those_that_ci_runs():
    """The test command of the README stands in `.ci/run`."""
    assert "python -m pytest" in README
    assert "python -m pytest" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_functions_and_files_stay_small():
    """No function is longer than 60 lines and no file than 600, docstrings included; signatures of W&B's excepted."""
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            text = path.read_text("utf-8")
            assert text.count("\n") <= 600, path
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "init":
                    length = (node.end_lineno or 0) - node.body[0].lineno
                    assert length <= 60, f"{path}: {node.name} has {length} lines"


def build(*arguments: str, cwd: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", *arguments],
        cwd=cwd,
        check=True,
        capture_output=True,
    )


def test_the_wheel_holds_every_part_and_the_dashboard(tmp_path):
    """A wheel of the repository has all packages, their type marks, and the built dashboard if there is one."""
    build("-w", str(tmp_path), str(ROOT), cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert wheel.name.startswith(f"runhaven-{runhaven.__version__}-")
    assert {"runhaven/__init__.py", "runhaven/py.typed", "runhaven_cli/app.py", "runhaven_server/app.py"} <= names
    assert not any(name.startswith(("tests/", "docs/")) for name in names)
    if (ROOT / "server/runhaven_server/static/index.html").is_file():
        assert "runhaven_server/static/index.html" in names


def test_it_logs_without_any_dependency(tmp_path):
    """`pip install --no-deps` into an empty environment is enough to log."""
    build("-w", str(tmp_path), str(ROOT), cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        "import runhaven, sys, time\nwith runhaven.init(project='p') as run:\n    run.log({'a': 1.5})\n    time.sleep(1.3)\n"
        "print(list(runhaven.Api().run(run.path).scan_history(['a']))[0]['a'])"
    )
    environment = {"RUNHAVEN_DIR": str(tmp_path / "store"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [tmp_path / "venv/bin/python", "-c", code], capture_output=True, text=True, env=environment, check=False
    )

    assert done.stdout.strip() == "1.5", done.stderr
    assert "Traceback" not in done.stderr
