/** Histograms over the steps as the server sends them; runhaven_server/media/histograms.py says what lies where. */

import { post, type SeriesRef } from './client';
import { unpack } from './packed';

export interface Histograms extends SeriesRef {
  kind: 'log' | 'linear';
  /** The step of each row; of rows that sum up several, the last. */
  step: Float64Array;
  /** Where the bins of each row begin, and at the end how many there are. */
  first: Uint32Array;
  /** How many histograms each row sums up, or stands for. */
  merged: Uint32Array;
  zeros: Float64Array;
  nan: Float64Array;
  inf: Float64Array;
  negInf: Float64Array;
  /** How many numbers there are; more than the row counts where they are a sample. */
  size: Float64Array;
  /** Codes of the bins, or edges: one more than bins in each row. */
  places: Uint16Array | Float64Array;
  counts: Float32Array;
}

type Entry = SeriesRef & { kind: 'log' | 'linear'; n: number; m: number; offset: number };

export const decodeHistograms = (data: ArrayBuffer): Histograms[] =>
  unpack<Entry>(data).map(([{ n, m, offset: _, ...series }, columns]) => ({
    ...series,
    step: columns.take(Float64Array, n),
    first: columns.take(Uint32Array, n + 1),
    merged: columns.take(Uint32Array, n),
    zeros: columns.take(Float64Array, n),
    nan: columns.take(Float64Array, n),
    inf: columns.take(Float64Array, n),
    negInf: columns.take(Float64Array, n),
    size: columns.take(Float64Array, n),
    places: series.kind === 'log' ? columns.take(Uint16Array, m) : columns.take(Float64Array, m + n),
    counts: columns.take(Float32Array, m),
  }));

export const getHistograms = async (series: SeriesRef[], rows: number, signal?: AbortSignal): Promise<Histograms[]> =>
  decodeHistograms(await (await post('histograms', { series, rows }, signal)).arrayBuffer());
