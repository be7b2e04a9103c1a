import { describe, expect, test } from 'vitest';
import { decodeHistograms, type Histograms } from '../api/histograms';
import { bounds, eachBin, masses, sampled, totals, valueAxis, valueTicks } from './distribution';
import { edges, heatMap, pieces, ridges } from './heat';
import { cells } from './strip';

const none = (n: number) => new Float64Array(n);

function ofCodes(rows: [number, number][][], extra: Partial<Histograms> = {}): Histograms {
  const first = [0];
  rows.forEach((row) => first.push(first.at(-1)! + row.length));
  return {
    run: 'r', stream: '', key: 'k', kind: 'log', step: Float64Array.from(rows.keys()), first: Uint32Array.from(first), merged: new Uint32Array(rows.length).fill(1),
    zeros: none(rows.length), nan: none(rows.length), inf: none(rows.length), negInf: none(rows.length), size: none(rows.length),
    places: Uint16Array.from(rows.flat().map(([code]) => code)), counts: Float32Array.from(rows.flat().map(([, count]) => count)), ...extra,
  };
}

/** The code of a number: the top 12 bits of its single. */
function codeOf(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0) >>> 20;
}

describe('codes', () => {
  test.each([1, -1, 1.05, 0.1, -3e-5, 1e30, 1e-38, 2 ** -140])('hold %d between their ends', (value) => {
    const [low, high] = bounds(codeOf(value));
    expect(low <= value && value <= high && low < high).toBe(true);
  });
  test('follow each other without a gap', () => expect(bounds(codeOf(1))[1]).toBe(bounds(codeOf(1) + 1)[0]));
});

describe('the axis of values', () => {
  const wide = ofCodes([[[codeOf(-1e-6), 50], [codeOf(1e-6), 50], [codeOf(1000), 1]]]);
  test('holds every number on the symmetric logarithm, in order, and finds them again', () => {
    const axis = valueAxis([wide], true)!;
    const places = [-1e-6, 0, 1e-6, 1, 1000].map(axis.at);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places.every((place) => place >= 0 && place <= 1)).toBe(true);
    expect(axis.value(axis.at(0.5))).toBeCloseTo(0.5);
    expect([axis.at(axis.lo), axis.at(axis.hi)]).toEqual([0, 1]);
  });
  test('is labelled at zero and at powers of ten that do not touch', () => {
    const axis = valueAxis([wide], true)!;
    const marks = valueTicks(axis, 6);
    expect(marks).toContain(0);
    expect(marks.filter((mark) => mark > 0).every((mark) => Number.isInteger(Math.log10(mark)) || Math.abs(Math.log10(mark) % 1) < 1e-9)).toBe(true);
    const places = marks.map(axis.at);
    expect(Math.min(...places.slice(1).map((place, at) => place - places[at]!))).toBeGreaterThan(0.1);
  });
  test('says when the linear one leaves outliers out', () => {
    const many = ofCodes([[[codeOf(0.5), 100_000], [codeOf(-0.5), 100_000], [codeOf(1e6), 1]]]);
    expect(valueAxis([many], false)!.clipped).toBe(true);
    expect(valueAxis([wide], true)!.clipped).toBe(false);
    expect(valueAxis([ofCodes([])], true)).toBeNull();
  });
});

test('every number falls into a piece of the axis', () => {
  const one = ofCodes([[[codeOf(-2), 3], [codeOf(0.5), 4], [codeOf(2), 5]]], { zeros: Float64Array.of(7) });
  const axis = valueAxis([one], true)!;
  const found = masses(one, 0, axis, 50);
  expect(found.reduce((a, b) => a + b, 0)).toBeCloseTo(19, 4);
  expect(found[Math.floor(axis.at(0) * 50)]).toBeGreaterThanOrEqual(7);
});

test('equal bins have the edges that were logged', () => {
  const linear = ofCodes([[[0, 1], [0, 3]]], { kind: 'linear', places: Float64Array.of(0, 1, 4) });
  const bins: number[][] = [];
  eachBin(linear, 0, (...bin) => bins.push(bin));
  expect(bins).toEqual([[0, 1, 1], [1, 4, 3]]);
});

test('what is not finite is told apart', () => {
  const one = ofCodes([[[codeOf(1), 3]]], { nan: Float64Array.of(2), negInf: Float64Array.of(1) });
  expect(totals(one, 0)).toEqual({ finite: 3, zeros: 0, nonfinite: 3 });
  expect([6, 60].map((size) => sampled({ ...one, size: Float64Array.of(size) }, 0))).toEqual([false, true]);
});

describe('a heat map', () => {
  test('has a column for each step, as wide as it lasts, and is clear where nothing lies', () => {
    expect(edges([0, 1, 9])).toHaveLength(3);
    expect(edges([0, 1, 9]).at(-1)).toBe(1);
    expect(edges([5])).toEqual([1]);
    const two = ofCodes([[[codeOf(1), 1]], [[codeOf(-1), 1]]]);
    const picture = heatMap(two, valueAxis([two], true)!, 4, 8, [10, 20, 30]);
    const alpha = (x: number, y: number) => picture.pixels[4 * (y * 4 + x) + 3]!;
    expect([alpha(0, 0) > 0, alpha(0, 7) > 0, alpha(3, 0) > 0, alpha(3, 7) > 0]).toEqual([true, false, false, true]);
  });
  test('has coarser pieces for fewer numbers', () => {
    expect([10, 400, 1_000_000].map((count) => pieces(ofCodes([[[codeOf(1), count]]]), 200))).toEqual([16, 60, 200]);
  });
  test('loses no row that is the only one of its pixel', () => {
    const rows = Array.from({ length: 100 }, () => [[codeOf(1), 1]] as [number, number][]);
    const picture = heatMap(ofCodes(rows), valueAxis([ofCodes(rows)], true)!, 10, 2, [1, 2, 3]);
    expect(Array.from({ length: 10 }, (_, x) => picture.pixels[4 * x + 3]! + picture.pixels[4 * (10 + x) + 3]!).every(Boolean)).toBe(true);
  });
});

test('ridges are the first, the last and those between, of the same area', () => {
  const rows = Array.from({ length: 50 }, (_, at) => [[codeOf(1), 1 + at], [codeOf(2), 1]] as [number, number][]);
  const found = ridges(ofCodes(rows), valueAxis([ofCodes(rows)], true)!, 5, 20);
  expect(found.map(({ row }) => row)).toEqual([0, 12, 25, 37, 49]);
  const areas = found.map(({ shape }) => shape.reduce((a, b) => a + b, 0));
  expect(Math.max(...areas) - Math.min(...areas)).toBeLessThan(1e-4);
});

test('exact zeros make no ridge small', () => {
  const one = ofCodes([[[codeOf(1), 5], [codeOf(-1), 5]]], { zeros: Float64Array.of(1000) });
  const { shape } = ridges(one, valueAxis([one], true)!, 1, 21)[0]!;
  expect([shape[10], Math.max(...shape.slice(11)), Math.max(...shape.slice(0, 10))]).toEqual([1, 1, 1]);
});

test('a reply is decoded where it lies', () => {
  const text = JSON.stringify({ series: [{ run: 'r', stream: '', key: 'k', kind: 'log', n: 1, m: 2, offset: 0 }] });
  const length = text.length + ((8 - ((4 + text.length) % 8)) % 8);
  const data = new ArrayBuffer(4 + length + 8 * 10);
  new DataView(data).setUint32(0, length, true);
  new Uint8Array(data, 4).set(new TextEncoder().encode(text.padEnd(length)));
  const at = 4 + length;
  new Float64Array(data, at, 1)[0] = 7;
  new Uint32Array(data, at + 8, 2)[1] = 2;
  new Float64Array(data, at + 24, 5).set([1, 2, 3, 4, 100]);
  new Uint16Array(data, at + 64, 2).set([5, 6]);
  new Float32Array(data, at + 72, 2).set([8, 9]);
  const [one] = decodeHistograms(data);
  expect([one!.step[0], one!.first[1], one!.negInf[0], one!.size[0], ...one!.places, ...one!.counts]).toEqual([7, 2, 4, 100, 5, 6, 8, 9]);
});

test('a strip has no colour where readings are missing', () => {
  const curve = { x: Float64Array.of(0, 10, 20, 90), last: Float32Array.of(1, 2, 3, 4) } as never;
  expect(cells(curve).map(({ from, to }) => [from, to])).toEqual([[0, 10], [10, 20], [20, 30], [90, 100]]);
});
