"""Bytes of media are served by their hash alone, as what they are, and can do nothing with our rights."""

from __future__ import annotations

import pytest

import runhaven
from runhaven.store.blobs import Blobs


def test_a_picture_that_was_logged_is_served_as_one(client):
    """The reference of a row is all that is needed; the answer says what it is and may be kept for good."""
    run = runhaven.init(project="p")
    run.log({"image": runhaven.Image([[0, 1], [1, 0]])})
    run.finish()
    (row,) = runhaven.Api().run(run.path).scan_history()
    reference = row["image"]
    answer = client.get(f"/api/v1/blobs/{reference['sha256']}", params={"format": reference["format"]})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert len(answer.content) == reference["size"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "immutable" in answer.headers["cache-control"]


def test_a_page_runs_in_a_sandbox_without_network(client, store):
    """HTML has an origin of its own and may fetch nothing; an unknown format is for download alone."""
    sha256 = Blobs(store).put(b"<script>1</script>").sha256
    page = client.get(f"/api/v1/blobs/{sha256}", params={"format": "html"})
    policy = page.headers["content-security-policy"]
    other = client.get(f"/api/v1/blobs/{sha256}", params={"format": "text/html"})

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert other.headers["content-type"] == "application/octet-stream"
    assert other.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize("name", ["0" * 64, "A" * 64, "runhaven.json", "..%2Frunhaven.json", "..", "0" * 63])
def test_only_hashes_name_bytes(client, store, name):
    """Nothing but a hash that the store holds is answered; a path that leaves the route finds no page either."""
    (store / "runhaven.json").write_text("secret")
    answer = client.get(f"/api/v1/blobs/{name}")

    assert answer.status_code in {404, 503}
    assert b"secret" not in answer.content


def test_a_part_can_be_asked_for(client, store):
    """A video is read in ranges."""
    sha256 = Blobs(store).put(b"0123456789").sha256
    answer = client.get(f"/api/v1/blobs/{sha256}", params={"format": "mp4"}, headers={"range": "bytes=2-4"})

    assert (answer.status_code, answer.content) == (206, b"234")


def test_nobody_sees_them_without_signing_in(client, store):
    """Without the cookie there are no bytes."""
    sha256 = Blobs(store).put(b"x").sha256

    assert client.stranger().get(f"/api/v1/blobs/{sha256}").status_code == 401
