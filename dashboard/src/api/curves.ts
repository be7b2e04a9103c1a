/** Curves as the server sends them. */

import type { SeriesRef } from './client';
import { unpack } from './packed';

export interface Curve extends SeriesRef {
  x: Float64Array;
  last: Float32Array;
  min: Float32Array;
  max: Float32Array;
  count: Uint32Array;
  nonfinite: number;
}

type Entry = SeriesRef & { n: number; offset: number; nonfinite: number };

export const decodeCurves = (data: ArrayBuffer): Curve[] =>
  unpack<Entry>(data).map(([{ n, offset: _, ...series }, columns]) => ({
    ...series,
    x: columns.take(Float64Array, n),
    last: columns.take(Float32Array, n),
    min: columns.take(Float32Array, n),
    max: columns.take(Float32Array, n),
    count: columns.take(Uint32Array, n),
  }));
