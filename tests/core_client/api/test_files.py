"""The files of a stored run."""

from __future__ import annotations

import pytest

from runhaven.errors import NotFoundError, UsageError


@pytest.fixture
def run(written):
    files = written.directory.files
    (files / "model").mkdir()
    (files / "model" / "weights.bin").write_bytes(b"12345")
    (files / "config.json").write_text("{}")
    (files / "notes_1.txt").write_text("hello")
    return written.close()


def names(files):
    return [file.name for file in files]


def test_files_are_listed_by_name_and_pattern(run):
    """All files, some by name, some by a pattern of SQL or of a shell."""
    assert names(run.files()) == ["config.json", "model/weights.bin", "notes_1.txt"]
    assert names(run.files(names=["config.json", "nothing"])) == ["config.json"]
    assert names(run.files(pattern="%.json")) == ["config.json"]
    assert names(run.files(pattern="notes__.%")) == ["notes_1.txt"]
    assert names(run.files(pattern="*.bin")) == ["model/weights.bin"]
    assert (len(run.files()), run.files()[0].size, names(run.files()[1:])) == (
        3,
        2,
        ["model/weights.bin", "notes_1.txt"],
    )
    with pytest.raises(UsageError, match="one of the two"):
        run.files(names=["a"], pattern="b")


def test_a_file_is_downloaded(run, tmp_path):
    """It comes to its path below `root`, as open text; one that is there is kept unless told otherwise."""
    file = run.file("notes_1.txt")
    with file.download(root=tmp_path) as opened:
        assert opened.read() == "hello"
    (tmp_path / "notes_1.txt").write_text("mine")
    with pytest.raises(UsageError, match="replace=True"):
        file.download(root=tmp_path)
    with file.download(root=tmp_path, exist_ok=True) as opened:
        assert opened.read() == "mine"
    with file.download(root=tmp_path, replace=True) as opened:
        assert opened.read() == "hello"
    run.file("model/weights.bin").download(tmp_path / "new").close()

    assert (tmp_path / "new" / "model" / "weights.bin").read_bytes() == b"12345"
    assert file.path_uri == (run.directory.files / "notes_1.txt").as_uri()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "store") == ["new", "notes_1.txt"]


def test_an_unknown_file_is_answered(run):
    """The message names what is near."""
    with pytest.raises(NotFoundError, match=r"'config\.jsn'; it has 'config\.json'"):
        run.file("config.jsn")


@pytest.mark.parametrize(
    "name",
    ["../run.json", "/etc/passwd", "model/../../run.json", "", ".", "a\0b", "..\\run.json", "out", "through/passwd"],
)
def test_no_name_leads_out(run, name):
    """Neither "..", nor an absolute path, nor a link gets at anything but the run's files."""
    (run.directory.files / "out").symlink_to("/etc/passwd")
    (run.directory.files / "through").symlink_to("/etc")

    with pytest.raises(UsageError, match="leads out"):
        run.file(name)
    assert names(run.files()) == ["config.json", "model/weights.bin", "notes_1.txt"]


def test_a_file_is_uploaded(run, tmp_path):
    """It lies below the run's files under its path below `root`, and the edits say so; what it replaces is kept."""
    (tmp_path / "sub").mkdir()
    source = tmp_path / "sub" / "notes_1.txt"
    source.write_text("one")
    file = run.upload_file(str(source), root=str(tmp_path))
    assert (file.name, file.size, run.file("sub/notes_1.txt").path.read_text()) == ("sub/notes_1.txt", 3, "one")
    source.write_text("two")
    run.upload_file(source, root=tmp_path)

    assert run.file("sub/notes_1.txt").path.read_text() == "two"
    assert [edit["event"] for edit in run.edits] == ["file", "file"]
    assert (run.directory.path / run.edits[-1]["replaced"]).read_text() == "one"
    assert run.state == "lost"


def test_only_files_below_root_are_uploaded(run, tmp_path):
    """A file outside of it, one that does not exist, and a way in through a link are refused."""
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "through").mkdir()
    (tmp_path / "through" / "b.txt").write_text("x")
    (run.directory.files / "through").symlink_to(tmp_path)

    for path, root, reason in (
        (tmp_path / "a.txt", tmp_path / "sub", "lies outside"),
        (tmp_path / "none.txt", tmp_path, "there is no file"),
        (tmp_path / "through" / "b.txt", tmp_path, "leads out"),
    ):
        with pytest.raises(UsageError, match=reason):
            run.upload_file(path, root=root)
    assert not (tmp_path / "b.txt").exists()


def test_a_deleted_file_is_set_aside(run):
    """It is gone from the files, and kept below the run's directory, where the edits say."""
    run.file("config.json").delete()
    edit = run.edits[-1]

    assert names(run.files()) == ["model/weights.bin", "notes_1.txt"]
    assert (edit["event"], edit["name"], bool(edit["user"])) == ("file_removed", "config.json", True)
    assert (run.directory.path / edit["kept"]).read_text() == "{}"


def test_a_file_that_vanishes_is_an_error_of_the_system(run):
    """A file that somebody removed by hand since raises what the system says."""
    file = run.file("config.json")
    file.path.unlink()

    with pytest.raises(FileNotFoundError):
        _ = file.size
