"""No secret reaches the disk: forty shapes of them in every place that a run captures."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import runhaven
from runhaven.journal.reader import JournalReader
from runhaven.redaction import redact_argv, redact_text, redact_value

A, D, H = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA", "0123456789", "0123456789abcdef0123456789abcdef01234567"
SECRETS = [
    f"hf_{A}", f"api_org_{A}", f"sk-{A}", f"sk-ant-api03-{A}", f"sk-proj-{A}", f"sk-or-v1-{A}", f"ghp_{A}", f"gho_{A}", f"ghs_{A}",
    f"github_pat_11ABC_{A}", f"glpat-{A[:20]}", "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", f"AIza{A}abc", f"ya29.{A}",
    f"xoxb-{D}-{A}", f"xoxp-{D}-{A}", f"xapp-1-{A}", f"SG.{A[:22]}.{A}", f"npm_{A}abcd", f"pypi-{A}", f"dop_v1_{H}abcdef", f"dapi{H[:32]}",
    f"sk_live_{A}", f"rk_test_{A}", f"whsec_{A}", f"AC{H[:32]}", f"SK{H[:32]}", f"shpat_{H[:32]}", f"gsk_{A}{A}", f"r8_{A}", f"nvapi-{A}",
    f"lin_api_{A}", f"hvs.{A}", f"glsa_{A}_{H[:8]}", f"dckr_pat_{A}", f"tskey-auth-{A}", f"sbp_{H}", f"eyJ{A}.eyJ{A}.{A}", f"123456789:AA{A}ab",
    f"https://hooks.slack.com/services/T0/B0/{A}", f"https://discord.com/api/webhooks/123/{A}", f"key-{H[:32]}", f"GOCSPX-{A}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{A}\n{A}\n-----END RSA PRIVATE KEY-----",
]  # fmt: skip
NAMED = [
    "password=hunter2hunter", "DB_PASSWORD: hunter2hunter", '"api_key": "hunter2hunter"', "--secret hunter2hunter", "client_secret='hunter2hunter'",
    "https://bob:hunter2hunter@example.org/x.git", "https://example.org/?token=hunter2hunter&x=1", "Authorization: Bearer hunter2hunter",
    "WANDB_API_KEY=hunter2hunter", "aws_secret_access_key = hunter2hunter", "AccountKey=hunter2hunter;", "postgres://u:hunter2hunter@db/x",
    "https://s3/x?X-Amz-Signature=hunter2hunter", "cookie: hunter2hunter", "machine x login y password hunter2hunter",
]  # fmt: skip
INNOCENT = [
    "tokenizer=gpt2", "max_tokens=512", "num_tokens: 7", "pad_token_id=50256", "key_dim=64", "num_keys=3", "commit a41c9e2f00d1e2c3b4a5968778695a4b3c2d1e0f",
    "loss=0.1234 token_accuracy=0.9", "/data/tokens/train.bin", "author=somebody", "monkey=banana", "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "http://127.0.0.1:8080/x", "user@example.org", "keyboard: qwerty", "layer.key.weight", "hidden_size=768", "lr=1e-3 wd=0.1 seed=0",
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS, ids=[secret[:12] for secret in SECRETS])
def test_secrets_are_known_by_their_shape(secret):
    """A key of a known issuer is masked wherever it stands in a text."""
    assert A not in redact_text(f"before {secret} after").replace("\n", "")
    assert secret not in redact_text(f"x = '{secret}'")


@pytest.mark.parametrize("text", NAMED)
def test_secrets_are_known_by_their_name_and_place(text):
    """What follows a secret's name, or stands in a URL's userinfo or query, is masked."""
    assert "hunter2" not in redact_text(f"before {text} after")


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_texts_stay_as_they_are(text):
    """The words of machine learning are no secrets."""
    assert redact_text(text) == text


def test_trees_and_command_lines():
    """A secret is masked under its key and after its option; numbers and other keys stay."""
    assert redact_value({"api_key": "x", "n": {"token": "y", "max_tokens": 5}, "lr": 0.1}) == {
        "api_key": "***", "n": {"token": "***", "max_tokens": 5}, "lr": 0.1,
    }  # fmt: skip
    assert redact_argv(["t.py", "--token", "abc", "--lr", "1", "--api-key=zz"]) == [
        "t.py",
        "--token",
        "***",
        "--lr",
        "1",
        "--api-key=***",
    ]


def test_no_secret_reaches_the_disk(tmp_path, store):
    """Secrets in argv, config, environment, git remote, diff, notes, alerts, console and traceback are in no file of the store."""
    work = tmp_path / "work"
    work.mkdir()
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    (work / "train.py").write_text(
        textwrap.dedent(
            """
            import os, sys, runhaven
            secrets = open(os.environ["SECRETS"]).read().split("\\0")
            run = runhaven.init(project="p", notes=" ".join(secrets), config={f"c{i}": s for i, s in enumerate(secrets)})
            run.log({"a": 1})
            for secret in secrets:
                print("printed", secret)
            run.alert("alert", secrets[0])
            raise RuntimeError(" ".join(secrets))
            """
        )
    )
    subprocess.run([*git, "init", "-q"], cwd=work, check=True)
    subprocess.run([*git, "add", "-A"], cwd=work, check=True)
    subprocess.run([*git, "commit", "-qm", "x"], cwd=work, check=True)
    subprocess.run(
        [*git, "remote", "add", "origin", f"https://bob:{SECRETS[6]}@example.org/x.git"], cwd=work, check=True
    )
    with (work / "train.py").open("a") as file:
        file.writelines(f"# {secret}\n" for secret in SECRETS if "\n" not in secret)
    (work / "settings.yaml").write_text("\n".join(SECRETS))
    (tmp_path / "secrets").write_text("\0".join(SECRETS))
    environment = {name: value for name, value in os.environ.items() if name != "RUNHAVEN_DISABLE_GIT"}
    environment |= {"SECRETS": str(tmp_path / "secrets"), "NCCL_TOKEN": SECRETS[0], "SLURM_JOB_NAME": SECRETS[2]}
    arguments = [word for secret in SECRETS for word in ("--key", secret)]
    done = subprocess.run(
        [sys.executable, "train.py", *arguments], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert "RuntimeError" in done.stderr
    (run,) = runhaven.Api().runs("p")
    kept = repr(JournalReader(run.directory.journal).poll())
    kept += "".join(
        path.read_text("utf-8", "replace")
        for path in store.rglob("*")
        if path.is_file() and path.suffix not in (".rhj", ".tail")
    )

    assert run.metadata["git"]["remote"].startswith("https://***@")
    assert "diff_file" in run.metadata["git"]
    assert len(run.logs()) > len(SECRETS)
    assert [secret for secret in SECRETS if secret in kept] == []
    assert A not in kept
    assert Path(run.directory.files / "diff.patch").stat().st_size > 500
