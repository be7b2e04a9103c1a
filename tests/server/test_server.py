"""The real server on loopback: who gets in, what it says, and how soon."""

from __future__ import annotations

import json
import struct
import threading
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from waiting import until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import runhaven
from runhaven_server.access import Access
from runhaven_server.app import create_app
from runhaven_server.bundle import STATIC
from runhaven_server.hosts import Hosts
from runhaven_server.serve import listen

if TYPE_CHECKING:
    from collections.abc import Generator


class Served:
    """A server that runs, and a browser that is signed in."""

    def __init__(self, store: Path, cache: Path, *, prefix: str = "", static: Path | None = None) -> None:
        self.access = Access(store, directory=cache)
        hosts = Hosts.serving("127.0.0.1")
        app = create_app(store, access=self.access, hosts=hosts, prefix=prefix, static=static or STATIC)
        self.socket = listen("127.0.0.1", 0)
        self.port = self.socket.getsockname()[1]
        config = uvicorn.Config(
            app, log_level="error", access_log=False, ws="websockets-sansio", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.port}{prefix}"
        self.client = httpx.Client(base_url=self.url, timeout=None)
        until(lambda: self.server.started)

    def sign_in(self) -> httpx.Response:
        return self.client.get("/", params={"code": self.access.issue_code()})

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())

    def close(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()


@pytest.fixture
def served(store: Path, tmp_path: Path) -> Generator[Served]:
    store.mkdir()
    page = tmp_path / "static"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<title>Runhaven</title>")
    (page / "assets" / "a-1234.js").write_text("1")
    served = Served(store, tmp_path / "cache", static=page)
    yield served
    served.close()


def test_nobody_gets_in_without_a_cookie(served):
    """The API answers 401, the page says what to run, and no run is shown."""
    assert served.client.get("/api/v1/projects").status_code == 401
    page = served.client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 401
    assert "runhaven ui" in page.text


def test_a_code_signs_in_once(served):
    """The code of the printed address becomes a strict HttpOnly cookie, and then it is spent."""
    code = served.access.issue_code()
    reply = served.client.get("/", params={"code": code})
    cookie = reply.headers["set-cookie"]

    assert reply.status_code == 303
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert served.client.get("/api/v1/projects").json() == []
    for spent in (code, "guessed"):
        assert httpx.get(served.url, params={"code": spent}, timeout=None).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", ""])
def test_foreign_names_are_refused(served, host):
    """A request that reached us by another name, as DNS rebinding makes one, gets nothing."""
    served.sign_in()

    assert served.client.get("/api/v1/projects", headers={"Host": host}).status_code == 403


def test_foreign_pages_cannot_post(served):
    """An unsafe request from another origin is refused even with the cookie."""
    served.sign_in()
    query = {"series": []}

    assert (
        served.client.post("/api/v1/curves", json=query, headers={"Origin": "https://evil.example"}).status_code == 403
    )
    assert served.client.post("/api/v1/curves", json=query, headers={"Origin": served.url}).status_code == 200


def test_the_live_socket_wants_cookie_and_origin(served):
    """A socket without the cookie, or from a foreign page, is not opened."""
    served.sign_in()
    address = f"ws://127.0.0.1:{served.port}/api/v1/live"
    for headers in ({}, {"Cookie": served.cookie, "Origin": "https://evil.example"}):
        with pytest.raises(InvalidStatus), connect(address, additional_headers=headers, open_timeout=None):
            pass
    ours = {"Cookie": served.cookie, "Origin": served.url}
    with connect(address, additional_headers=ours, open_timeout=None):
        pass


def test_a_new_row_reaches_the_browser(served):
    """A run that starts, and each row, is told to a page that is open."""
    served.sign_in()
    address = f"ws://127.0.0.1:{served.port}/api/v1/live"
    with connect(address, additional_headers={"Cookie": served.cookie}, open_timeout=None) as live:
        run = runhaven.init(project="p")
        run.log({"a": 1})
        told: list[dict[str, Any]] = []
        while not any(one.get("runs", [{}])[0].get("last_step") == 0 for one in told):
            told.append(json.loads(live.recv()))
        assert any(one.get("projects") for one in told)
        run.log({"a": 2})
        while told[-1].get("runs", [{}])[0].get("last_step") != 1:
            told.append(json.loads(live.recv()))


def decode(data: bytes) -> list[dict[str, Any]]:
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    assert (4 + length) % 8 == 0
    curves = []
    for series in header["series"]:
        at, found = 4 + length + series["offset"], dict(series)
        for name, code in (("x", "d"), ("last", "f"), ("min", "f"), ("max", "f"), ("count", "I")):
            size = series["n"] * array(code).itemsize
            found[name] = array(code, data[at : at + size]).tolist()
            at += -(-size // 8) * 8
        curves.append(found)
    return curves


def test_large_runs_are_sealed_while_they_are_looked_at(store, tmp_path, monkeypatch):
    """The server seals a run that is over and large, and its curve stays what it was."""
    monkeypatch.setattr("runhaven_server.sealer.INTERVAL_S", 0.05)
    monkeypatch.setattr("runhaven_server.sealer.OVER_BYTES", 1000)
    with runhaven.init(project="p") as run:
        for step in range(5000):
            run.log({"loss": step % 97})
    (before,) = runhaven.Api().runs()
    expected = before.curve("loss", buckets=100)
    served = Served(store, tmp_path / "cache")
    served.sign_in()
    asked = {"series": [{"run": before.ulid, "key": "loss", "stream": ""}], "x": "step", "buckets": 100}
    first = served.client.post("/api/v1/curves", json=asked, headers={"Origin": served.url})
    sealed = before.directory.path / "sealed"
    until(lambda: list(sealed.glob("manifest.*")))
    second = served.client.post("/api/v1/curves", json=asked, headers={"Origin": served.url})
    served.close()
    (after,) = runhaven.Api().runs()
    found = after.curve("loss", buckets=100)

    assert first.status_code == second.status_code == 200
    assert list(sealed.glob("*.cells.parquet"))
    assert (found.min.min(), found.max.max(), found.count.sum()) == (expected.min.min(), expected.max.max(), 5000)


def test_the_api_shows_what_was_logged(served):
    """Projects, rows, details, series, logs and curves agree with the run; NaN is legal JSON."""
    served.sign_in()
    with runhaven.init(
        project="p", name="n", config={"lr": 0.1, "deep": {"a": [1]}, "nan": float("nan")}, tags=["t"]
    ) as run:
        for step in range(3000):
            run.log({"loss": float(step), "inf": float("inf")})
    get = lambda path: served.client.get(f"/api/v1/{path}").json()  # noqa: E731 - one line of a test
    (project,) = get("projects")
    assert (project["name"], project["runs"], project["running"]) == ("p", 1, 0)
    (row,) = get(f"projects/{run.entity}/p/runs")["runs"]
    assert (row["name"], row["state"], row["last_step"], row["color"], row["tags"]) == ("n", "finished", 2999, 0, ["t"])
    assert row["config"] == {"lr": 0.1, "deep.a": "[1]", "nan": "NaN"}
    assert row["summary"] == {"loss": 2999.0, "inf": "Infinity"}
    detail = get(f"runs/{row['ulid']}")
    assert detail["config_tree"]["deep"] == {"a": [1]}
    assert {series["key"]: series["count"] for series in get(f"runs/{row['ulid']}/series")} == {
        "loss": 3000,
        "inf": 3000,
    }
    assert {metric["key"] for metric in get(f"projects/{run.entity}/p/series")} == {"loss", "inf"}
    assert get(f"runs/{row['ulid']}/logs") == {"lines": [], "total": 0}
    series = [{"run": row["ulid"], "key": key} for key in ("loss", "inf", "missing")]
    reply = served.client.post("/api/v1/curves", json={"series": series, "buckets": 100})
    loss, inf, missing = decode(reply.content)

    assert (loss["n"], sum(loss["count"]), loss["max"][-1], loss["min"][0]) == (100, 3000, 2999.0, 0.0)
    assert inf["nonfinite"] == 3000
    assert missing["n"] == 0


@pytest.mark.parametrize("bad", [{"series": [], "buckets": 0}, {"series": "x"}, {}])
def test_a_bad_question_is_explained(served, bad):
    """A request that cannot mean anything is answered with what is wrong."""
    served.sign_in()
    reply = served.client.post("/api/v1/curves", json=bad)

    assert reply.status_code == 422
    assert reply.json()["detail"][0]["msg"]


def test_an_unknown_run_is_not_found(served):
    """A run that is not there is a 404 with a sentence."""
    served.sign_in()

    assert "there is no run" in served.client.get("/api/v1/runs/nothing").json()["detail"]


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/../../../etc/passwd", "/..%5c..%5cetc/passwd"]
)
def test_no_path_leads_out_of_the_bundle(served, path):
    """Dots in a path reach no file outside the dashboard's."""
    served.sign_in()
    reply = served.client.get(path)

    assert reply.status_code == 404
    assert "root:" not in reply.text


def test_headers_keep_the_page_to_itself(served):
    """Every reply forbids sniffing and foreign scripts; hashed files may be kept, the page may not."""
    served.sign_in()
    page, asset = served.client.get("/"), served.client.get("/assets/a-1234.js")

    assert page.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in asset.headers["cache-control"]


def test_it_works_under_a_prefix(store, tmp_path):
    """Behind a proxy that keeps the prefix in the path, sign-in and API work below it."""
    store.mkdir()
    page = tmp_path / "static"
    page.mkdir()
    (page / "index.html").write_text("page")
    served = Served(store, tmp_path / "cache", prefix="/user/x/proxy/7878", static=page)
    try:
        assert served.sign_in().status_code == 303
        assert served.client.get("/api/v1/status").json()["store"] == str(store)
        assert served.client.get("/").text == "page"
    finally:
        served.close()


def test_a_missing_bundle_says_how_to_build_it(store, tmp_path):
    """Without a built dashboard the page names the command."""
    store.mkdir()
    served = Served(store, tmp_path / "cache", static=tmp_path / "nothing")
    try:
        served.sign_in()
        reply = served.client.get("/")
        assert reply.status_code == 503
        assert "pip install" in reply.text
    finally:
        served.close()
