/** Pictures of histograms over steps: a heat map, steps to the right; and ridges, steps downwards. */

import type { Histograms } from '../api/histograms';
import { masses, totals, type ValueAxis } from './distribution';
import { blank, type Picture, type Rgb } from './raster';

/** Where each row ends, from 0 to 1: half way to the next one, so that a gap in logging is a wide row. */
export function edges(steps: ArrayLike<number>): number[] {
  const [first, last] = [steps[0]!, steps[steps.length - 1]!];
  if (steps.length < 2 || first === last) return [1];
  const half = (last - first) / (steps.length - 1) / 2;
  const [lo, span] = [first - half, last - first + 2 * half];
  return Array.from({ length: steps.length }, (_, at) => ((at + 1 < steps.length ? (steps[at]! + steps[at + 1]!) / 2 : last + half) - lo) / span);
}

const LEAST_PIECES = 16;

/** Into how many pieces the axis is cut: few numbers in fine pieces would be a bar code. */
export function pieces(from: Histograms, most: number): number {
  const counts = Array.from(from.step, (_, row) => totals(from, row).finite);
  return Math.min(most, Math.max(LEAST_PIECES, Math.round(3 * Math.sqrt(Math.max(0, ...counts)))));
}

/** Each column of pixels shows the row of its step; the deeper the colour, the more numbers lie there. */
export function heatMap(from: Histograms, axis: ValueAxis, width: number, height: number, color: Rgb): Picture {
  const picture = blank(width, height);
  const ends = edges(from.step);
  const parts = pieces(from, height);
  let left = 0;
  for (let row = 0; row < from.step.length; row++) {
    const right = Math.min(width, Math.max(left + (row + 1 === from.step.length ? 1 : 0), Math.round(ends[row]! * width)));
    if (right > left) paintColumn(picture, masses(from, row, axis, parts), left, right, color);
    left = Math.max(left, right);
  }
  return picture;
}

function paintColumn(picture: Picture, found: Float32Array, left: number, right: number, color: Rgb): void {
  const most = found.reduce((a, b) => Math.max(a, b), 0);
  if (!most) return;
  for (let place = 0; place < found.length; place++) {
    if (!found[place]) continue;
    // The square root keeps thin tails in sight.
    const alpha = 255 * (0.06 + 0.94 * Math.sqrt(found[place]! / most));
    const [top, bottom] = [1, 0].map((end) => picture.height - Math.round(((place + end) * picture.height) / found.length));
    for (let y = top!; y < bottom!; y++) for (let x = left; x < right; x++) picture.pixels.set([...color, alpha], 4 * (y * picture.width + x));
  }
}

export interface Ridge {
  row: number;
  /** The line above the row's base, from 0 to 1, for each of some places along the axis. */
  shape: Float32Array;
}

/** Some rows, evenly over the steps, as lines whose area is the same for all: their shapes can be compared. Exact zeros may reach the top, and make nothing else small. */
export function ridges(from: Histograms, axis: ValueAxis, most: number, places: number): Ridge[] {
  const count = Math.min(most, from.step.length);
  const parts = pieces(from, places);
  const zero = Math.min(parts - 1, Math.max(0, Math.floor(axis.at(0) * parts)));
  const rows = Array.from({ length: count }, (_, at) => (count === 1 ? 0 : Math.round((at * (from.step.length - 1)) / (count - 1))));
  const found = rows.map((row) => {
    const shape = masses(from, row, axis, parts);
    const sum = shape.reduce((a, b) => a + b, 0) || 1;
    const zeros = from.zeros[row]! / sum;
    const lifts = shape.map((mass) => mass / sum);
    return { row, shape: lifts, top: lifts.reduce((most, lift, place) => Math.max(most, place === zero ? lift - zeros : lift), 0) };
  });
  const top = Math.max(...found.map((one) => one.top)) || 1;
  return found.map(({ row, shape }) => ({ row, shape: shape.map((lift) => Math.min(1, lift / top)) }));
}
