"""Where a run takes place: Python, packages, machine, and what launchers put into the environment."""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from runhaven.redaction import redact_argv, redact_value

_ALLOWED = re.compile(
    r"(?:SLURM_(?:JOB_ID|JOB_NAME|JOB_PARTITION|JOB_NUM_NODES|ARRAY_\w+|PROCID|LOCALID|NODEID|NTASKS|NNODES|RESTART_COUNT|STEP_ID|NODELIST|JOB_NODELIST|CPUS_PER_TASK|GPUS\w*)"
    r"|RANK|LOCAL_RANK|NODE_RANK|GROUP_RANK|ROLE_RANK|WORLD_SIZE|LOCAL_WORLD_SIZE|MASTER_ADDR|MASTER_PORT"
    r"|TORCHELASTIC_(?:RUN_ID|RESTART_COUNT|MAX_RESTARTS)|OMPI_COMM_WORLD_\w+|CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|HIP_VISIBLE_DEVICES"
    r"|NCCL_\w+|TORCH_\w+|PYTORCH_\w+|XLA_FLAGS|JAX_\w+|OMP_NUM_THREADS|MKL_NUM_THREADS|ACCELERATE_\w+|KERAS_BACKEND"
    r"|CONDA_DEFAULT_ENV|VIRTUAL_ENV|KUBERNETES_SERVICE_HOST|HOSTNAME|COLAB_RELEASE_TAG|KAGGLE_KERNEL_RUN_TYPE)\Z"
)


def host_name() -> str:
    """Return the name of this host, fit for the name of a file."""
    return re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()) or "localhost"


def user_name() -> str:
    """Return the login name of the user."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def describe() -> dict[str, Any]:
    """Return what is known at once: Python, command and variables."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    facts = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "argv": redact_argv(sys.argv),
        "program": main,
        "cwd": str(Path.cwd()),
        "host": socket.gethostname(),
        "user": user_name(),
        "pid": os.getpid(),
        "os": platform.platform(),
        "container": _container(),
        "variables": {name: value for name, value in sorted(os.environ.items()) if _ALLOWED.match(name)},
    }
    return redact_value(facts)


def _container() -> str | None:
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    return "kubernetes" if "KUBERNETES_SERVICE_HOST" in os.environ else None


def describe_slow() -> dict[str, Any]:
    """Return what takes some milliseconds: packages and hardware."""
    return {"packages": packages(), "hardware": hardware()}


@lru_cache(maxsize=1)
def packages() -> dict[str, str]:
    """Return each installed distribution with its version, read from the names of directories alone."""
    found: dict[str, str] = {}
    for place in sys.path:
        try:
            names = os.listdir(place or ".")  # noqa: PTH208 - names alone are wanted, of large directories
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                package, _, version = name.removesuffix(".dist-info").partition("-")
                found.setdefault(package.replace("_", "-").lower(), version)
    return dict(sorted(found.items()))


def hardware() -> dict[str, Any]:
    """Return processor and memory."""
    return {
        "cpu": _cpu_model(),
        "cpu_count": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": _memory_bytes(),
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1] if match else platform.machine()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
