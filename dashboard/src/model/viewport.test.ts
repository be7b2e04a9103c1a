import { expect, test } from 'vitest';
import { fitted, seenPart, zoomed } from './viewport';

const seen = { width: 1000, height: 600 };

test('a small drawing is centred at its own size', () => {
  expect(fitted({ width: 400, height: 200 }, { x: 0, y: 0 }, seen, false)).toEqual({ x: 300, y: 200, k: 1 });
});

test('a drawing that would be illegible is shown around what is looked at, unless all of it is wanted', () => {
  const large = { width: 4000, height: 600 };
  const some = fitted(large, { x: 2000, y: 300 }, seen, false);
  expect([some.k, some.x + 2000 * some.k]).toEqual([0.8, 500]);
  expect(fitted(large, { x: 10, y: 300 }, seen, false).x).toBe(0);
  expect(fitted(large, { x: 3990, y: 300 }, seen, false).x).toBe(1000 - 4000 * 0.8);
  expect(fitted(large, { x: 10, y: 300 }, seen, true).k).toBe(0.25);
});

test('zooming keeps the point under the pointer, and has ends', () => {
  const view = { x: 30, y: -20, k: 1 };
  const { x, y, k } = zoomed(view, 1.5, 200, 100);
  expect([(200 - x) / k, (100 - y) / k]).toEqual([170, 120]);
  expect([zoomed(view, 1000, 0, 0).k, zoomed(view, 0.0001, 0, 0).k]).toEqual([2.5, 0.15]);
});

test('the part that is seen is in units of the drawing', () => {
  expect(seenPart({ x: -50, y: 20, k: 2 }, seen)).toEqual({ x: 25, y: -10, width: 500, height: 300 });
});
