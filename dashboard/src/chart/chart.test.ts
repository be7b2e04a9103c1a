import { describe, expect, test } from 'vitest';
import { bandSpans, blank, dashed, fill, isSparse, lineSpans, stroke, type Picture } from './raster';
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

describe('stroke', () => {
  const drawn = (xs: Float64Array, ys: Float64Array, size = 40, dash?: [number, number]) => {
    const picture = blank(size, size);
    stroke(picture, xs, ys, [1, 2, 3], 1, 1, dash);
    return picture;
  };
  const ink = (picture: Picture, keep: (x: number, y: number) => boolean) =>
    picture.pixels.reduce((sum, value, i) => (i % 4 === 3 && keep((i >> 2) % picture.width, Math.floor((i >> 2) / picture.width)) ? sum + value / 255 : sum), 0);

  test('a line is as thick where it is steep as where it is flat', () => {
    const flat = ink(drawn(f64(5, 35), f64(20.3, 20.3)), () => true) / 30;
    const steep = ink(drawn(f64(18, 22), f64(5, 35)), () => true) / Math.hypot(4, 30);
    expect(steep).toBeCloseTo(flat, 1);
  });
  test('nothing is drawn beyond the points but the thickness', () => {
    const picture = drawn(f64(5, 15, 25, 35), f64(10, 30, 12, 28));
    expect(ink(picture, (x, y) => x < 3 || x > 36 || y < 8 || y > 31)).toBe(0);
    expect(ink(picture, (x, y) => x === 15 && y === 30)).toBeGreaterThan(0.5);
  });
  test('a NaN leaves a gap, and a point between two is a dot', () => {
    const picture = drawn(f64(2, 10, 20, 30, 38), f64(5, NaN, 5, NaN, 5));
    expect([2, 20, 38].map((at) => ink(picture, (x, y) => x === at && y === 5) > 0.5)).toEqual([true, true, true]);
    expect(ink(picture, (x) => (x > 4 && x < 17) || (x > 22 && x < 35))).toBe(0);
  });
  test('a line that comes from outside is cut off', () => {
    expect(ink(drawn(f64(-50, 90), f64(20, 20)), (_, y) => y === 19 || y === 20)).toBeCloseTo(80);
  });
  test('dashes leave out columns', () => {
    expect(ink(drawn(f64(0, 40), f64(20, 20), 40, [3, 1]), (x) => x % 4 === 3)).toBe(0);
  });
  test('is for points that are some pixels apart', () => {
    expect([f64(0, 8, 16), f64(0, 8, 15), f64(3)].map(isSparse)).toEqual([true, false, false]);
  });
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
