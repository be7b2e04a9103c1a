import { describe, expect, test } from 'vitest';
import { bandSpans, blank, dashed, fill, lineSpans } from './raster';
import { padded, scale, ticks } from './scale';
import { smooth } from './smooth';

const f64 = (...values: number[]) => Float64Array.from(values);

describe('lineSpans', () => {
  test('a spike between two columns covers its whole height', () => {
    const spans = lineSpans(f64(0.5, 2.5, 2.6, 4.5), f64(10, 10, 1, 10), 6);
    expect(spans.top[2]).toBe(1);
    expect(spans.bottom[2]).toBe(10);
  });
  test('points further apart than a pixel are joined', () => {
    const spans = lineSpans(f64(0, 9), f64(0, 9), 10);
    expect(spans.top[4]).toBeCloseTo(4);
    expect(spans.bottom[4]).toBeCloseTo(5);
  });
  test('a NaN leaves a gap', () => {
    const spans = lineSpans(f64(0, 3, 6), f64(1, NaN, 1), 7);
    expect(Array.from(spans.top, Number.isNaN)).toEqual([false, true, true, true, true, true, false]);
  });
  test('points outside the width are cut off, not wrapped', () => {
    const spans = lineSpans(f64(-5, 15), f64(0, 20), 10);
    expect(spans.top[0]).toBeCloseTo(5);
    expect(spans.bottom[9]).toBeCloseTo(15);
  });
});

test('a band covers everything between its two lines', () => {
  const spans = bandSpans(f64(0, 4), f64(8, 8), f64(2, 2), 4);
  expect(Array.from(spans.top)).toEqual([2, 2, 2, 2]);
  expect(Array.from(spans.bottom)).toEqual([8, 8, 8, 8]);
});

test('fill is opaque inside and soft at the edges', () => {
  const picture = blank(1, 4);
  fill(picture, { top: Float32Array.of(0.5), bottom: Float32Array.of(2) }, [10, 20, 30], 1);
  expect(Array.from(picture.pixels.filter((_, i) => i % 4 === 3))).toEqual([128, 255, 0, 0]);
  expect(Array.from(picture.pixels.slice(4, 7))).toEqual([10, 20, 30]);
});

test('dashes leave out columns', () => {
  const line = lineSpans(f64(0, 8), f64(1, 1), 8);
  expect(Array.from(dashed(line, 3, 1).top, Number.isNaN)).toEqual([false, false, false, true, false, false, false, true]);
});

describe('scale', () => {
  test('ticks are round and lie inside', () => {
    expect(ticks(0, 1, 5).map((tick) => tick.toFixed(1))).toEqual(['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']);
    expect(ticks(0.5, 2000, 4, true)).toEqual([1, 10, 100, 1000]);
  });
  test('ticks are round in what an axis counts', () => {
    expect(ticks(1, 3, 9, false, 'whole')).toEqual([1, 2, 3]);
    expect(ticks(0, 700 * 2 ** 20, 4, false, 'bytes').map((tick) => tick / 2 ** 20)).toEqual([0, 200, 400, 600]);
    expect(ticks(0, 1000, 4, false, 'seconds')).toEqual([0, 300, 600, 900]);
    expect(ticks(0, 4 * 86_400, 3, false, 'seconds')).toEqual([0, 86_400, 172_800, 259_200, 345_600]);
  });
  test('a log scale has no place for zero', () => {
    expect(scale(0.1, 10, true).at(0)).toBeNaN();
    expect(scale(0.1, 10, true).at(1)).toBeCloseTo(0.5);
  });
  test('one value gets room around it', () => {
    expect(padded(5, 5, false)).toEqual([4.5, 5.5]);
  });
});

test('smoothing starts at the first value and passes over NaN', () => {
  const out = smooth(Float32Array.of(4, NaN, 4, 8), 0.5);
  expect(out[0]).toBe(4);
  expect(out[1]).toBeNaN();
  expect(out[2]).toBe(4);
  expect(out[3]).toBeGreaterThan(4);
  expect(out[3]).toBeLessThan(8);
});
