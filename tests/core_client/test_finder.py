"""Adapters under their other names."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys

import pytest

import runhaven


def test_names_that_no_adapter_has_are_not_found():
    """A module that does not exist is a ModuleNotFoundError, an attribute an AttributeError."""
    with pytest.raises(ModuleNotFoundError, match=r"runhaven\.nonsense"):
        importlib.import_module("runhaven.nonsense")
    with pytest.raises(ModuleNotFoundError, match=r"runhaven\.integration\.nonsense"):
        importlib.import_module("runhaven.integration.nonsense")
    assert not hasattr(runhaven, "nonsense")


def test_the_core_comes_before_adapters():
    """A module of the core is itself, whatever an adapter is called."""
    assert importlib.import_module("runhaven.session").__name__ == "runhaven.session"
    assert importlib.import_module("runhaven.integration").__name__ == "runhaven.integration"


def test_what_lies_below_an_adapter_is_no_second_copy():
    """`runhaven.torch.watcher` is `runhaven_integrations.torch.watcher`, and its objects pickle by that name."""
    pytest.importorskip("torch")
    below = importlib.import_module("runhaven.torch.watcher")

    assert below is importlib.import_module("runhaven_integrations.torch.watcher")
    assert below is importlib.import_module("runhaven.integration.torch.watcher")
    assert pickle.loads(pickle.dumps(below.Watched)) is below.Watched
    assert below.__spec__ is not None
    assert below.__spec__.name == "runhaven_integrations.torch.watcher"


def test_importing_the_core_imports_no_framework_and_looks_nothing_up():
    """Neither `import runhaven` nor a name of the core looks at entry points."""
    code = (
        "import sys; before = set(sys.modules); import runhaven; runhaven.Settings; "
        "print({'importlib.metadata', 'torch'} & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
