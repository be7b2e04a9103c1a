/** A row of cells along x: each covers the time from its bucket to the next; where much is missing, nothing is drawn. */

import type { Curve } from '../api/curves';

export interface Cell {
  from: number;
  to: number;
  value: number;
}

const GAP = 3;

export function cells(curve: Curve): Cell[] {
  const { x, last } = curve;
  const distances = Array.from({ length: Math.max(0, x.length - 1) }, (_, at) => x[at + 1]! - x[at]!).sort((a, b) => a - b);
  const usual = distances[distances.length >> 1] ?? 1;
  return Array.from(x, (from, at) => ({ from, to: at + 1 < x.length && x[at + 1]! - from <= GAP * usual ? x[at + 1]! : from + usual, value: last[at]! }));
}
