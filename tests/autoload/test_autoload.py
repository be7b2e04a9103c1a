"""What is called at the end of `import torch`, in real interpreters of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

import runhaven
import runhaven_autoload

pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
TABLES = """
from transformers import Trainer
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from accelerate.tracking import LOGGER_TYPE_TO_CLASS
print("runhaven" in INTEGRATION_TO_CALLBACK, "runhaven" in LOGGER_TYPE_TO_CLASS)
"""
needs_frameworks = pytest.mark.skipif(
    not (find_spec("transformers") and find_spec("accelerate")), reason="transformers and accelerate"
)


def python(code: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(([str(folder)] if folder else []) + [os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": paths} | environment,
    )  # fmt: skip


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


@needs_frameworks
@pytest.mark.parametrize(
    "first",
    [
        "",  # a script without any import of ours, where Transformers is what imports PyTorch
        "import torch",
        "import accelerate",
        "from transformers import Trainer",
        "import runhaven",
        "import transformers, accelerate, runhaven",
        "from transformers import Trainer; import runhaven",
    ],
)
def test_the_name_is_known_whatever_is_imported_first(first):
    """Both tables hold the name, whatever the order, with or without `import runhaven`."""
    assert last_line(python(f"{first}\n{TABLES}")) == "True True"


@needs_frameworks
def test_the_framework_itself_need_not_be_imported_for_the_name_to_be_known_later():
    """Nothing of Runhaven but the tiny package is loaded until the name is asked for."""
    code = f"import sys{TABLES}print(*sorted(name for name in sys.modules if name.startswith('runhaven')))"

    assert last_line(python(code)) == "runhaven_autoload runhaven_autoload.import_hook"


@needs_frameworks
def test_it_is_off_on_request():
    """RUNHAVEN_AUTOLOAD=0 leaves PyTorch alone; an import of Runhaven is a wish of its own."""
    assert last_line(python(TABLES, RUNHAVEN_AUTOLOAD="0")) == "False False"
    assert last_line(python(f"import runhaven{TABLES}", RUNHAVEN_AUTOLOAD="0")) == "True True"


def broken(folder: Path, text: str) -> Path:
    for name in ("runhaven", "runhaven_integrations"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(text)
    return folder


@pytest.mark.parametrize("text", ["raise ImportError('gone')", "1/0", "import torch.nothing_like_it", "("])
def test_a_broken_runhaven_breaks_no_import(tmp_path, text):
    """Whatever is wrong with Runhaven itself, PyTorch and Transformers come up, without a word."""
    code = "import torch\nprint(torch.ones(1).item())"
    done = python(code, broken(tmp_path, text))

    assert last_line(done) == "1.0"
    assert "runhaven" not in done.stderr.lower()


@needs_frameworks
def test_a_broken_runhaven_is_said_where_it_is_asked_for(tmp_path):
    """The frameworks' own modules are imported; only a trainer that asks for the name gets the error."""
    code = f"{TABLES}\ntry:\n    INTEGRATION_TO_CALLBACK['runhaven']()\nexcept ImportError as error:\n    print(error)"

    assert last_line(python(code, broken(tmp_path, "raise ImportError('gone')"))) == "gone"


def test_an_error_inside_reaches_nobody():
    """Whatever fails while it installs itself, `import torch` goes on."""
    code = """
    import runhaven_autoload
    def fail():
        raise RuntimeError("inside")
    runhaven_autoload.install = fail
    import torch
    print(torch.ones(1).item())
    """

    assert last_line(python(code)) == "1.0"


@needs_frameworks
def test_a_table_of_another_shape_breaks_no_import():
    """Where a later version keeps its table elsewhere or makes it read-only, its import goes on."""
    code = """
    import sys, types
    from types import MappingProxyType
    import runhaven_autoload
    module = types.ModuleType("accelerate.tracking")
    sys.modules["accelerate.tracking"] = module
    other = types.ModuleType("transformers.integrations.integration_utils")
    other.INTEGRATION_TO_CALLBACK = MappingProxyType({})
    sys.modules["transformers.integrations.integration_utils"] = other
    runhaven_autoload.install()
    print(len(other.INTEGRATION_TO_CALLBACK), vars(module).get("RunhavenTracker"))
    """

    assert last_line(python(code)) == "0 None"


def test_runhaven_and_torch_may_import_each_other():
    """`import runhaven` first, inside a module that PyTorch is imported from, is no circle."""
    assert last_line(python("import runhaven, torch, runhaven.torch\nprint(runhaven.torch.__name__)")).endswith("torch")


def test_its_state_can_be_asked(monkeypatch):
    """It says whether it is on, and what switched it off."""
    assert runhaven_autoload.state().startswith("on: ")
    monkeypatch.setenv("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
    assert runhaven_autoload.state() == "off: TORCH_DEVICE_BACKEND_AUTOLOAD=0"
    monkeypatch.setenv("RUNHAVEN_AUTOLOAD", "0")
    assert runhaven_autoload.state() == "off: RUNHAVEN_AUTOLOAD=0"
    assert runhaven.__version__


def test_a_module_that_is_half_done_is_served_when_it_is_whole(tmp_path):
    """What waits for a module whose import is under way, and from which the waiting begins, is called after it."""
    (tmp_path / "half_done.py").write_text(
        "from runhaven_autoload.import_hook import when_imported\n"
        "when_imported('half_done', lambda module: print('whole:', module.last))\n"
        "import string\n"
        "last = 'there'\n"
    )
    done = python("import half_done, colorsys\nprint('end')", tmp_path)

    assert done.stdout == "whole: there\nend\n", done.stderr


def test_an_import_that_fails_is_waited_for_again(tmp_path):
    """A module that raised is served by the import that works, once, and what waits for it may fail."""
    (tmp_path / "late.py").write_text(
        "import builtins\nif not hasattr(builtins, 'ready'): raise ImportError('not yet')\n"
    )
    code = """
    import builtins
    from runhaven_autoload.import_hook import when_imported
    when_imported("late", lambda module: 1 / 0)
    when_imported("late", lambda module: print("served", module.__name__, type(module.__loader__).__name__))
    try:
        import late
    except ImportError as error:
        print(error)
    builtins.ready = True
    import late, importlib
    importlib.reload(late)
    when_imported("late", lambda module: print("at once"))
    """
    done = python(code, tmp_path)

    assert done.stdout == "not yet\nserved late SourceFileLoader\nat once\n", done.stderr
