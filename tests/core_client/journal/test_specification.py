"""docs/formats.md is enough: a reader written from it alone reads what the client wrote."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

import runhaven

GOLDEN = Path(__file__).parent / "golden" / "v1"


def read_journal(journal: Path) -> dict[int, dict[str, Any]]:
    """Return each record of the one writer of a run by its number."""
    (file,) = journal.glob("*.rhj")
    seed = zlib.crc32(file.stem.encode())
    schemas: dict[int, Any] = {}
    records: dict[int, dict[str, Any]] = {}
    data, at = file.read_bytes(), 0
    while at < len(data):
        magic, kind, _, _, length, _, first, crc = struct.unpack_from("<4sBBHIIQI", data, at)
        assert magic == b"RHJ1"
        assert zlib.crc32(data[at : at + 24], seed) == crc
        at, stop = at + 28, at + 28 + length
        while at < stop:
            section, flags, _, schema, rows, _, size, check = struct.unpack_from("<BBHIIIII", data, at)
            raw = data[at + 24 : at + 24 + size]
            assert zlib.crc32(raw, zlib.crc32(data[at : at + 20], crc)) == check
            raw = zlib.decompress(raw) if flags & 1 else raw
            if kind == 1 and section == 1:
                read_loose(raw, first, schemas, records)
            elif kind == 1 and section == 0:
                read_rows(raw, first, rows, scattered=bool(flags & 2), schema=schemas[schema], records=records)
            at += 24 + size
    for path in sorted(journal.glob("*.tail"), key=lambda path: int(path.name.split(".")[-2])):
        data = path.read_bytes()
        if data[:4] == b"RHT1":
            read_tail(data, seed, schemas, records)
    return records


def take(tag, number, body, schemas, records):
    if tag == 0xFFFFFFFE:
        schema = json.loads(body)
        schemas[schema["id"]] = schema["cells"]
    elif number not in records:
        records[number] = json.loads(body) if tag == 0xFFFFFFFF else read_row(body, schemas[tag])


def read_loose(raw, first, schemas, records):
    at = 0
    while at < len(raw):
        offset, tag, length = struct.unpack_from("<III", raw, at)
        take(tag, first + offset, raw[at + 12 : at + 12 + length], schemas, records)
        at += 12 + length


def read_row(body, cells):
    codes = {"f": "d", "i": "q", "b": "?", "s": "I", "j": "I"}
    packing = struct.Struct("<qq" + "".join(codes[kind] for _, kind in cells))
    step, time, *values = packing.unpack_from(body)
    at, row = packing.size, {"_step": step, "_time": time}
    for (key, kind), value in zip(cells, values, strict=True):
        row[key] = value
        if kind in "sj":
            text = body[at : at + value].decode("utf-8", "surrogatepass")
            row[key] = text if kind == "s" else json.loads(text)
            at += value
    return row


def unplane(planes, width):
    count = len(planes) // width
    return b"".join(bytes(planes[byte * count + index] for byte in range(width)) for index in range(count))


def read_rows(raw, first, rows, *, scattered, schema, records):
    if scattered:
        numbers = [first + offset for offset in struct.unpack(f"<{rows}I", unplane(raw[: 4 * rows], 4))]
        raw = raw[4 * rows :]
    else:
        (start,) = struct.unpack_from("<I", raw)
        numbers, raw = list(range(first + start, first + start + rows)), raw[4:]
    words = [(key, kind) for key, kind in schema if kind in "fi"]
    flags = [key for key, kind in schema if kind == "b"]
    size = 8 * rows * (2 + len(words))
    values = unplane(raw[:size], 8)
    columns = [values[8 * rows * index : 8 * rows * (index + 1)] for index in range(2 + len(words))]
    named: dict[str, Any] = {
        "_step": struct.unpack(f"<{rows}q", columns[0]),
        "_time": struct.unpack(f"<{rows}q", columns[1]),
    }
    for (key, kind), column in zip(words, columns[2:], strict=True):
        named[key] = struct.unpack(f"<{rows}{'d' if kind == 'f' else 'q'}", column)
    for index, key in enumerate(flags):
        named[key] = [bool(value) for value in raw[size + rows * index : size + rows * (index + 1)]]
    for index, number in enumerate(numbers):
        records[number] = {key: column[index] for key, column in named.items()}


def read_tail(data, seed, schemas, records):
    check, number = struct.unpack_from("<IQ", data, 4)
    assert zlib.crc32(data[8:16], seed) == check
    at = 16
    while True:
        length, low, tag = struct.unpack_from("<III", data, at)
        stop = at + length
        if length < 16 or zlib.crc32(data[at : stop - 4], seed) != int.from_bytes(data[stop - 4 : stop], "little"):
            return
        assert low == number & 0xFFFFFFFF
        take(tag, number, data[at + 12 : stop - 4], schemas, records)
        at, number = stop, number + 1


def written(ending: str) -> list[dict[str, Any]]:
    code = (
        "import runhaven, os\nrun = runhaven.init(project='p', config={'lr': 0.1})\n"
        "for i in range(9000):\n"
        "    run.log({'loss': i / 7, 'ok': i % 2 == 0, 'n': i})\n"
        "    if i % 3 == 0: run.log({'other': i})\n"
        "    if i % 1000 == 0: run.log({'text': f't{i}', 'list': [i, None]})\n" + ending
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (run,) = runhaven.Api().runs()
    records = read_journal(run.directory.journal)
    assert sorted(records) == sorted(set(records))
    events = [record["event"] for record in records.values() if "event" in record]
    assert {"start", "meta", "config"} <= set(events)
    rows = [record for _, record in sorted(records.items()) if "_step" in record]
    assert all(row.pop("_time") > 0 for row in rows)
    return rows


def expected() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for i in range(9000):
        rows.append({"loss": i / 7, "ok": i % 2 == 0, "n": i})
        rows += [{"other": i}] if i % 3 == 0 else []
        rows += [{"text": f"t{i}", "list": [i, None]}] if i % 1000 == 0 else []
    return [{"_step": step, **row} for step, row in enumerate(rows)]


def test_a_finished_journal_is_read_from_the_page_alone():
    """Frames of a run that ended give every row, typed and in order."""
    assert written("run.finish()") == expected()


def test_a_crashed_journal_is_read_from_the_page_alone():
    """Frames and tail of a run that was cut off give every row."""
    assert written("os._exit(1)") == expected()


@pytest.mark.parametrize("case", ["finished", "crashed", "every-kind"])
def test_golden_journals_are_read_from_the_page_alone(case):
    """The golden files give the same rows and events as our own reader finds, number by number."""
    wanted = json.loads((GOLDEN / case / "expected.json").read_text("utf-8"))
    found = read_journal(GOLDEN / case)
    rows = {number: record for number, record in found.items() if "_step" in record}

    assert sorted(rows) == [row[0] for row in wanted["rows"]]
    for number, _, step, time, cells in wanted["rows"]:
        row = {key: repr(value) for key, value in rows[number].items()}
        assert row == {"_step": repr(step), "_time": repr(time), **cells}
    assert {number: record for number, record in found.items() if number not in rows} == dict(wanted["events"])
