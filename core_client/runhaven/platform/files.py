"""Files: room on the disk, kinds of file systems, and writes that happen whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import io

_NETWORK = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "ceph",
        "beegfs",
        "glusterfs",
        "wekafs",
        "afs",
        "9p",
        "pvfs2",
        "orangefs",
        "ocfs2",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.ceph",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.rclone",
        "fuse.juicefs",
        "fuse.blobfuse",
        "fuse.lustre",
    ]
)
_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
# Linux's request to share the blocks of a file, of <linux/fs.h>.
_FICLONE = 0x40049409
# SYNC_FILE_RANGE_WRITE, of <fcntl.h>.
_START_WRITING = 2
BLOCK = 256 << 10
"""Linux may copy a large write two or three times as slowly as the same bytes in blocks of this size."""
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})
_ZEROS = b"\0" * (1 << 16)


def allocate(fd: int, size: int) -> None:
    """Give an empty file `size` zero bytes that the disk has room for.

    Raises:
        OSError: If it has not.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    left = size
    while left > 0:
        left -= os.write(fd, _ZEROS[:left])
    os.lseek(fd, 0, os.SEEK_SET)


def reserve(fd: int, size: int) -> None:
    """Give a file that is to be written `size` bytes, and room for them at once, where the file system can.

    Writes then cost less, and a full disk says so before the first of them. Unlike `allocate`, this never writes zeros.

    Raises:
        OSError: If the disk has not so much room.
    """
    library = _library()
    if hasattr(library, "fallocate") and library.fallocate(fd, 0, ctypes.c_int64(0), ctypes.c_int64(size)) != 0:
        number = ctypes.get_errno()
        if number in {errno.ENOSPC, errno.EDQUOT}:
            raise OSError(number, os.strerror(number))
    os.ftruncate(fd, size)


def filesystem(path: Path) -> str:
    """Return the type of the file system that a path lies on, such as "ext4"; "" where the system does not say."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
        device = os.stat(_existing(path)).st_dev  # noqa: PTH116 - `_existing` may be "/"
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    place = str(path.absolute())
    best, kind = "", ""
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        parts = fields.split()
        point = parts[4].encode().decode("unicode_escape")
        is_above = place == point or place.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= len(best) and (parts[2] == number or number.startswith("0:")):
            best, kind = point, rest.split()[0]
    return kind


def _existing(path: Path) -> Path:
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())


def is_network(path: Path) -> bool:
    """Tell whether other hosts may see the files at a path."""
    return filesystem(path) in _NETWORK


def is_memory(path: Path) -> bool:
    """Tell whether the files at a path are gone after a restart."""
    return filesystem(path) in _MEMORY


@functools.cache
def _library() -> Any:
    """Return Linux's C library, for what Python does not offer; None elsewhere."""
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def sync_filesystem(directory: Path) -> bool:
    """Wait until all that was written to a directory's file system is on its disk; False where the system has no such call.

    Raises:
        OSError: If something could not be written.
    """
    library = _library()
    if not hasattr(library, "syncfs"):
        return False
    fd = os.open(directory, os.O_RDONLY)
    try:
        if library.syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(directory))
    finally:
        os.close(fd)
    return True


def start_writing(fd: int) -> None:
    """Let the system begin to write a file to its disk, and do not wait: less is left to do for who waits later."""
    library = _library()
    if hasattr(library, "sync_file_range"):
        library.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), _START_WRITING)


def sync_file(path: str | Path) -> None:
    """Wait until a file is on its disk.

    Raises:
        OSError: If it could not be written.
    """
    # Windows waits only for what is open for writing.
    fd = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_atomically(path: Path, data: bytes) -> None:
    """Write a file whole; readers see the old content or the new one.

    Raises:
        OSError: If it cannot be written.
    """
    partial = _write_partial(path, data)
    try:
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def clone_file(source: Path, target: Path) -> bool:
    """Make a new file that shares all blocks of another one, in no time; False where the file system has no such thing.

    Raises:
        OSError: If the source cannot be read.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    with source.open("rb", buffering=0) as read:
        try:
            with target.open("xb", buffering=0) as written:
                fcntl.ioctl(written.fileno(), _FICLONE, read.fileno())
        except OSError:
            target.unlink(missing_ok=True)
            return False
    return True


def link_file(source: Path, target: Path) -> bool:
    """Give a file another name; False where the file system has no such thing, or the name lies on another one.

    Raises:
        OSError: If there is no such file, or the name cannot be given.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def create(path: str | Path) -> int:
    """Open a new file for writing and return its descriptor.

    Raises:
        FileExistsError: If there is one of that name.
        OSError: If it cannot be made.
    """
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write bytes to a file from where it stands.

    Raises:
        OSError: If they cannot be written.
    """
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left[:BLOCK]) :]


def read_full(file: io.RawIOBase, buffer: memoryview) -> int:
    """Read until a buffer is full or the file ends, and return how many bytes that was.

    Raises:
        OSError: If it cannot be read.
    """
    done = 0
    while done < len(buffer) and (count := file.readinto(buffer[done:])):
        done += count
    return done


def copy_file(source: Path, target: Path) -> None:
    """Copy what a file holds now to a new one, sharing its blocks where the file system can.

    Raises:
        OSError: If it cannot be read or written.
    """
    with source.open("rb", buffering=0) as read, target.open("xb", buffering=0) as written:
        left = os.fstat(read.fileno()).st_size
        if hasattr(os, "copy_file_range"):
            with contextlib.suppress(OSError):
                while left and (done := os.copy_file_range(read.fileno(), written.fileno(), left)):
                    left -= done
        # What the system cannot copy by itself, for instance between two file systems.
        shutil.copyfileobj(read, written)


def create_exclusive(path: Path, data: bytes) -> bool:
    """Write a file whole, unless there is one; False if there is. Safe between hosts on network file systems.

    Raises:
        OSError: If it cannot be written.
    """
    partial = _write_partial(path, data)
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    except OSError:
        return _create_without_links(path, data)
    finally:
        partial.unlink(missing_ok=True)
    return True


def _create_without_links(path: Path, data: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    return True


def _write_partial(path: Path, data: bytes) -> Path:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    return partial
