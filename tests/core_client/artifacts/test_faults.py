"""What breaks: flipped bits, killed processes, many at once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import runhaven
from runhaven import Artifact
from runhaven.artifacts.checking import check_store
from runhaven.artifacts.collection import collections
from runhaven.errors import NotFoundError, StoreError
from runhaven.store.blobs import Blobs

LOG = """
import sys, runhaven
from runhaven.artifacts.artifact import Artifact
from runhaven.artifacts.resolving import Home
from pathlib import Path
artifact = Artifact("data", "dataset")
print("ready", flush=True)
sys.stdin.readline()
artifact.add_dir(sys.argv[1])
artifact.commit(Home(Path(sys.argv[2]), "me", "p"), aliases=["last"])
print(artifact.version)
"""


MANY = """
import sys, runhaven
from pathlib import Path
from runhaven.artifacts.resolving import Home
print("ready", flush=True)
sys.stdin.readline()
for number in map(int, sys.argv[2:]):
    artifact = runhaven.Artifact("data", "dataset", metadata={"n": number})
    with artifact.new_file("x.txt") as file:
        file.write(str(number))
    artifact.commit(Home(Path(sys.argv[1]), "me", "p"), aliases=["last"])
    print(artifact.version, artifact.digest)
"""

SMALL_DISK = """
import random, sys, warnings, runhaven
from pathlib import Path
from runhaven.artifacts.checking import check_store
from runhaven.store.blobs import Blobs
folder, store = Path(sys.argv[1]) / "files", Path(sys.argv[1]) / "store"
folder.mkdir()
def log(mib):
    (folder / "x.bin").write_bytes(random.Random(mib).randbytes(mib << 20))
    artifact = runhaven.Artifact("data", "dataset")
    artifact.add_dir(folder)
    return run.log_artifact(artifact)
with runhaven.init(entity="me", project="p", dir=store) as run:
    states = [log(9).state, log(30).state]
    (folder / "x.bin").unlink()
    for path in Blobs(store).all():
        path.name.startswith(".") and path.unlink()
    states.append(log(10).state)
found = runhaven.Api(store).artifacts("dataset", "me/p/data")
print(*states, *(one.version for one in found), *(fault for one in found for fault in check_store(one.manifest, Blobs(store))))
"""


def start(folder, store) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LOG, folder, store],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RUNHAVEN_DIR": str(store)},
    )


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("contents", [20, 3, 1])
def test_many_processes_log_one_name_at_once(store, tmp_path, contents):
    """20 processes that log one name at once get consecutive versions, one for each content, and no errors."""
    processes = []
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "x.txt").write_text(str(number % contents))
        processes.append(start(folder, store))
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        go(process)
    done = [process.communicate() for process in processes]
    found = runhaven.Api().artifacts("dataset", "me/p/data")

    assert [error for _, error in done] == [""] * 20
    assert {out.strip() for out, _ in done} == {f"v{number}" for number in range(contents)}
    assert sorted(one.version for one in found) == sorted(f"v{number}" for number in range(contents))
    assert len({one.digest for one in found}) == contents
    for artifact in found:
        assert not check_store(artifact.manifest, Blobs(store))


def test_a_killed_process_leaves_no_half_version(store, folder):
    """Killed at 20 random moments and more while it logs: what is a version is whole, and the next one can be logged."""
    chance = random.Random(5)
    needed = 0.1
    number = killed = 0
    while number < 20 or not killed:
        number += 1
        (folder / "a.txt").write_text(f"attempt {number}")
        (folder / "deep" / "b.bin").write_bytes(chance.randbytes(9 << 20))
        process = start(folder, store)
        assert process.stdout is not None
        process.stdout.readline()
        go(process)
        time.sleep(chance.uniform(0, needed))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        was_killed = process.returncode == -signal.SIGKILL
        killed += was_killed
        # Moments before the end, however long that takes here.
        needed *= 1.2 if was_killed else 0.8
        for collection in collections(store):
            for version in collection.versions():
                assert not check_store(Artifact.of(collection, version).manifest, Blobs(store))
    process = start(folder, store)
    go(process)
    out, error = process.communicate()
    last = runhaven.Api().artifact("me/p/data:last")

    assert error == ""
    assert last.version == out.split()[-1]
    assert not check_store(last.manifest, Blobs(store))


def test_a_full_disk_costs_one_version_alone(tmp_path):
    """What does not fit on the disk is no version, and said once; what was there is whole, and once there is room it goes on."""
    mount = 'mount -t tmpfs -o size=64m small "$1" && exec "$2" -c "$3" "$1"'
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        mount,
        "sh",
        tmp_path,
        sys.executable,
        SMALL_DISK,
    ]
    environment = os.environ | {"RUNHAVEN_SILENT": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("mounting a file system is not allowed here")

    assert done.stdout.split() == ["COMMITTED", "FAILED", "COMMITTED", "v1", "v0"], done.stderr
    assert done.stderr.count("could not be logged") == 1


@pytest.mark.parametrize("seed", range(2))
def test_two_processes_log_one_name_a_hundred_times(store, tmp_path, seed):
    """Two processes that log one name at once, 100 times, some of it the same: no version is lost, doubled or torn."""
    chance = random.Random(seed)
    contents = [[chance.randrange(150) for _ in range(100)] for _ in range(2)]
    processes = [
        subprocess.Popen([sys.executable, "-c", MANY, store, *map(str, mine)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for mine in contents
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        go(process)
    said = [[line.split() for line in process.communicate()[0].splitlines()] for process in processes]
    found = {one.version: one for one in runhaven.Api().artifacts("dataset", "me/p/data")}
    wanted = {number for mine in contents for number in mine}

    assert [len(lines) for lines in said] == [100, 100]
    assert {int(one.metadata["n"]) for one in found.values()} == wanted
    assert set(found) == {f"v{number}" for number in range(len(wanted))}
    for mine, lines in zip(contents, said, strict=True):
        assert [found[version].metadata["n"] for version, _ in lines] == mine
        assert [found[version].digest for version, _ in lines] == [digest for _, digest in lines]
    for artifact in found.values():
        assert not check_store(artifact.manifest, Blobs(store))


def test_every_flipped_bit_is_found(run, folder, store):
    """Whatever byte of a blob, a manifest or a claim changes, verifying or reading the version says so."""
    artifact = Artifact("data", "dataset")
    artifact.add_dir(folder)
    run.log_artifact(artifact)
    chance = random.Random(1)
    files = [path for path in [*(store / "blobs").rglob("*"), *(store / "artifacts").rglob("*.json")] if path.is_file()]
    assert len(files) > 10
    for path in files:
        size = path.stat().st_size
        if not size:
            continue
        place, bit = chance.randrange(size), 1 << chance.randrange(8)
        flip(path, place, bit)
        with pytest.raises((StoreError, NotFoundError)):
            runhaven.Api().artifact("me/p/data:v0").verify()
        flip(path, place, bit)
    runhaven.Api().artifact("me/p/data:v0").verify()


def flip(path, place: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ bit]))


def test_a_download_is_checked_and_kept(run, folder, tmp_path):
    """Damaged bytes are not handed out; right files stay, wrong and missing ones are brought anew."""
    artifact = Artifact("data", "dataset")
    artifact.add_dir(folder)
    run.log_artifact(artifact)
    out = tmp_path / "out"
    artifact.download(out)
    right, wrong, gone = out / "deep" / "deeper" / "large.bin", out / "a.txt", out / "deep" / "b.bin"
    inode = right.stat().st_ino
    wrong.write_text("HELLO")
    gone.unlink()
    (out / "more.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"3 files are wrong") as caught:
        artifact.verify(str(out))
    artifact.download(out)

    assert all(name in str(caught.value) for name in ("a.txt", "deep/b.bin", "more.txt"))
    assert right.stat().st_ino == inode
    assert wrong.read_text() == "hello"
    assert gone.read_bytes() == (folder / "deep" / "b.bin").read_bytes()
    artifact.checkout(str(out))
    assert not (out / "more.txt").exists()
    artifact.verify(str(out))
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize("change", ["first", "last", "longer", "shorter", "gone"])
def test_a_changed_copy_of_a_large_file_is_found_and_mended(run, folder, tmp_path, change):
    """A copy of a file in chunks is compared with them: whatever byte has changed, `verify` says so and a download mends it."""
    artifact = Artifact("data", "dataset")
    artifact.add_dir(folder)
    run.log_artifact(artifact)
    out = tmp_path / "out"
    artifact.download(out)
    name = "deep/deeper/large.bin"
    copy, data = out / name, (folder / name).read_bytes()
    if change in {"first", "last"}:
        flip(copy, 0 if change == "first" else len(data) - 1, 1)
    elif change == "gone":
        copy.unlink()
    else:
        copy.write_bytes(data + b"x" if change == "longer" else data[:-1])
    with pytest.raises(StoreError, match=r"1 files are wrong") as caught:
        artifact.verify(str(out))
    artifact.download(out)

    assert ("is missing" if change == "gone" else "has changed") in str(caught.value)
    assert copy.read_bytes() == data


@pytest.mark.parametrize("name", ["a.txt", "deep/deeper/large.bin"])
def test_damaged_bytes_are_not_handed_out(run, folder, tmp_path, blobs, name):
    """A download of a file whose blob has changed fails, and leaves nothing of that file."""
    artifact = Artifact("data", "dataset")
    artifact.add_dir(folder)
    run.log_artifact(artifact)
    flip(blobs.path(artifact.get_entry(name).blobs[-1].sha256), 0, 1)

    with pytest.raises(StoreError, match="damaged"):
        artifact.download(tmp_path / "out")
    assert not (tmp_path / "out" / name).exists()


def test_blocks_are_shared_where_the_file_system_can(tmp_path):
    """On a file system with reflinks a small file is downloaded by sharing its blocks, and is the user's own to change."""
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(400 << 20)
    made = shutil.which("mkfs.xfs") and subprocess.run(["mkfs.xfs", "-q", image], check=False, capture_output=True)
    place = tmp_path / "mounted"
    place.mkdir()
    if not made or subprocess.run(["mount", "-o", "loop", image, place], check=False, capture_output=True).returncode:
        pytest.skip("needs XFS, and the right to mount")
    try:
        (place / "x.bin").write_bytes(random.Random(1).randbytes(7 << 20))
        with runhaven.init(entity="me", project="p", dir=place / "store") as run:
            artifact = run.log_artifact(str(place / "x.bin"), name="data", type="dataset")
        subprocess.run(["sync", "-f", place], check=True)
        before = shutil.disk_usage(place).used
        copy = Path(artifact.download(place / "out")) / "x.bin"
        subprocess.run(["sync", "-f", place], check=True)
        grown = shutil.disk_usage(place).used - before
        is_same = copy.read_bytes() == (place / "x.bin").read_bytes()
        copy.write_bytes(b"mine")
        faults = check_store(artifact.manifest, Blobs(place / "store"))
    finally:
        subprocess.run(["umount", place], check=True)

    assert is_same
    assert grown < 1 << 20
    assert not faults


def test_hard_links_are_made_on_request_alone(run, folder, tmp_path, blobs):
    """Copies are the user's own; links are read-only and share the store's bytes."""
    artifact = Artifact("data", "dataset")
    artifact.add_file(folder / "a.txt")
    run.log_artifact(artifact)
    blob = blobs.path(artifact.get_entry("a.txt").digest)
    artifact.download(tmp_path / "copy")
    artifact.download(tmp_path / "link", hard_links=True)

    assert (tmp_path / "copy" / "a.txt").stat().st_ino != blob.stat().st_ino
    assert (tmp_path / "link" / "a.txt").stat().st_ino == blob.stat().st_ino
    assert (tmp_path / "link" / "a.txt").stat().st_mode & 0o222 == 0


def test_what_cannot_be_linked_is_copied(run, folder, tmp_path):
    """On another file system than the store's, a download by hard links brings the user's own copies."""
    artifact = Artifact("data", "dataset")
    artifact.add_file(folder / "a.txt")
    run.log_artifact(artifact)
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=shared_memory) as other:
        artifact.download(other, hard_links=True)
        brought = Path(other) / "a.txt"

        assert brought.read_bytes() == (folder / "a.txt").read_bytes()
        assert brought.stat().st_nlink == 1
        assert brought.stat().st_mode & 0o200


def test_torn_events_cost_themselves_alone(run, store):
    """A line that a full disk cut short is passed over, and so is what makes no sense; the others count."""
    artifact = Artifact("data", "dataset")
    with artifact.new_file("x") as file:
        file.write("x")
    run.log_artifact(artifact, aliases=["a"])
    (path,) = (store / "journal" / "artifacts").rglob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'\n{"event": "aliases", "al')
    artifact.aliases.append("b")
    artifact.save()
    with path.open("ab") as file:
        file.write(b"\nnonsense\n[]\n" + json.dumps({"event": "aliases", "aliases": {"c": 0}}).encode() + b"\n")

    assert runhaven.Api().artifact("me/p/data:v0").aliases == ["latest", "a", "b"]


def test_a_logged_artifact_can_be_put_into_another_store(folder, tmp_path):
    """A draft whose files went to one store is logged into another: its bytes go along."""
    artifact = Artifact("data", "dataset")
    artifact.add_dir(folder)
    with runhaven.init(entity="me", project="p", dir=tmp_path / "other") as run:
        run.log_artifact(artifact)

    assert not check_store(
        runhaven.Api(tmp_path / "other").artifact("me/p/data:v0").manifest, Blobs(tmp_path / "other")
    )
