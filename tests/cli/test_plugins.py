"""Adapters of third parties, really installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path

import pytest

import runhaven

PARTS = ("runhaven", "runhaven_autoload", "runhaven_cli", "runhaven_gpu_monitor", "runhaven_integrations")
PLUGINS = Path(__file__).parents[1] / "plugins"


def install(name: str, target: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", target, PLUGINS / name],
        check=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    install("sample_adapter", target)
    return target


@pytest.fixture(scope="module")
def broken_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("broken")
    install("broken_adapter", target)
    return target


def python(*words: str, site: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    told = os.environ | {"PYTHONPATH": str(site)} | environment
    return subprocess.run([sys.executable, *words], env=told, capture_output=True, text=True, check=False)


def test_a_third_partys_adapter_has_our_names(site):
    """`runhaven.sample` and `runhaven.integration.sample` are the module that its package declares, and it logs."""
    code = (
        "import runhaven, runhaven.sample, sample_adapter\n"
        "from runhaven.integration.sample import SampleCallback\n"
        "assert runhaven.sample is sample_adapter and SampleCallback is sample_adapter.SampleCallback\n"
        "from sample_trainer import Trainer\n"
        "Trainer({'lr': 0.1}, [SampleCallback(project='p')]).fit()\n"
    )
    done = python("-c", code, site=site)
    (run,) = runhaven.Api().runs("p")

    assert done.returncode == 0, done.stderr
    assert [row["loss"] for row in run.scan_history()] == [1, 1 / 2, 1 / 3]
    assert (run.config["lr"], run.state) == (0.1, "finished")


def test_it_sets_itself_up_below_the_launcher(site, tmp_path):
    """A script with no word of Runhaven logs, by the entry-point group `runhaven.launch`."""
    (tmp_path / "train.py").write_text("from sample_trainer import Trainer\nTrainer({'lr': 0.1}).fit()\n")
    done = python("-m", "runhaven_cli.app", "run", str(tmp_path / "train.py"), site=site)
    (run,) = runhaven.Api().runs()

    assert done.returncode == 0, done.stderr
    assert [row["loss"] for row in run.scan_history()] == [1, 1 / 2, 1 / 3]


def test_doctor_lists_it(site):
    """`doctor` names adapter, package and versions, and the state of the autoload; `--json` has them apart."""
    text = python("-m", "runhaven_cli.app", "doctor", site=site).stdout
    found = json.loads(python("-m", "runhaven_cli.app", "doctor", "--json", site=site).stdout)
    (sample,) = (each["about"] for each in found if each["about"].get("adapter") == "sample")

    assert "Adapter sample of sample-adapter 1.2.3 is ready." in text
    assert "Autoload is on" in text
    assert (sample["distribution"], sample["version"], sample["module"]) == (
        "sample-adapter",
        "1.2.3",
        "sample_adapter",
    )
    assert any("autoload" in each["about"] for each in found)


def test_a_framework_that_is_missing_is_named_with_the_command(tmp_path):
    """`doctor` says of an adapter whose framework is not installed what to run; that is no problem of the installation."""
    parts = {str(Path(place).parent) for package in PARTS for place in import_module(package).__path__}
    facts = Path(str(metadata.distribution("runhaven").locate_file(f"runhaven-{runhaven.__version__}.dist-info")))
    for place in (facts, *(Path(import_module(package).__path__[0]) for package in ("click", "psutil"))):
        (tmp_path / place.name).symlink_to(place)
    bare = Path(os.pathsep.join([str(tmp_path), *parts]))
    done = python("-S", "-m", "runhaven_cli.app", "doctor", "--json", site=bare)
    (keras,) = (each for each in json.loads(done.stdout) if each["about"].get("adapter") == "keras")

    assert keras["level"] == "note"
    assert keras["text"].endswith(
        "RunhavenCallback needs the package 'keras', which cannot be imported. Run: pip install keras"
    )


def test_a_framework_that_is_too_old_is_named(tmp_path):
    """`doctor` compares versions with those that the extra asks for."""
    (tmp_path / "keras-3.9.2.dist-info").mkdir()
    (tmp_path / "keras-3.9.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: keras\nVersion: 3.9.2\n")
    text = python("-m", "runhaven_cli.app", "doctor", site=tmp_path).stdout

    assert "may not work: keras 3.9.2 is older than 3.11. Run: pip install 'runhaven[keras]'" in text


def test_doctor_imports_no_framework_that_is_there():
    """Its versions come from what pip wrote down."""
    code = "import runhaven_cli.doctor as d, sys; list(d.check_adapters()); print({'torch', 'keras', 'sklearn'} & {*sys.modules})"
    pytest.importorskip("torch")

    assert python("-c", code, site=Path()).stdout == "set()\n"


def test_a_broken_plug_in_breaks_nothing(broken_site, tmp_path):
    """`import runhaven` and the launcher work beside it, which says so once; `doctor` names each fault and its package."""
    (tmp_path / "train.py").write_text(
        "import json.tool, runhaven\nrunhaven.init(project='p').log({'a': 1})\nprint('trained')"
    )
    launched = python(
        "-m", "runhaven_cli.app", "run", str(tmp_path / "train.py"), site=broken_site, RUNHAVEN_SILENT="0"
    )
    doctor = python("-m", "runhaven_cli.app", "doctor", site=broken_site)

    assert (launched.returncode, launched.stdout) == (0, "trained\n")
    assert launched.stderr.count("this adapter is broken") == 1
    assert runhaven.Api().runs("p")[0].summary["a"] == 1
    assert doctor.returncode == 1
    assert "Adapter broken of broken-adapter 0.9 fails to load" in doctor.stdout
    assert "Update or remove broken-adapter" in doctor.stdout
    assert "Adapter odd of broken-adapter 0.9 fails" in doctor.stdout
    assert "`runhaven run` cannot call broken_adapter:set_up" in doctor.stdout
    assert "no_such_module_of_broken" in doctor.stdout
