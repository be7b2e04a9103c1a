/** Histograms on an axis: where their bins lie, which part of the axis they cover, and how much falls into each pixel. */

import type { Histograms } from '../api/histograms';
import { ticks } from './scale';

const NEGATIVE = 2048;
const SUBNORMAL = 2 ** -129;

/** The least number of a code without its sign; the code is the top 12 bits of an IEEE 754 single. */
function magnitude(code: number): number {
  const [exponent, mantissa] = [code >> 3, code & 7];
  return exponent === 0 ? mantissa * SUBNORMAL : (8 + mantissa) * 2 ** (exponent - 130);
}

/** Between which numbers those of a code lie. */
export function bounds(code: number): [number, number] {
  const [low, high] = [magnitude(code % NEGATIVE), magnitude((code % NEGATIVE) + 1)];
  return code >= NEGATIVE ? [-high, -low] : [low, high];
}

/** Goes through the bins of a row: their ends and their counts; zeros are a bin without width. */
export function eachBin(from: Histograms, row: number, tell: (low: number, high: number, count: number) => void): void {
  for (let at = from.first[row]!; at < from.first[row + 1]!; at++) {
    const [low, high] = from.kind === 'log' ? bounds(from.places[at]!) : [from.places[at + row]!, from.places[at + row + 1]!];
    tell(low, high, from.counts[at]!);
  }
  if (from.zeros[row]) tell(0, 0, from.zeros[row]!);
}

export interface ValueAxis {
  log: boolean;
  /** Where a number lies, from 0 to 1; what is beyond the ends lies outside. */
  at: (value: number) => number;
  /** The number at a place. */
  value: (place: number) => number;
  lo: number;
  hi: number;
  /** Whether some numbers lie beyond the ends. */
  clipped: boolean;
}

/** Collects all bins of some histograms, sorted, each with the part of all counts that lies below its end. */
function collect(all: Histograms[]): { low: number; high: number; below: number }[] {
  const found: { low: number; high: number; count: number }[] = [];
  for (const one of all) {
    for (let row = 0; row < one.step.length; row++) {
      let sum = 0;
      eachBin(one, row, (_low, _high, count) => (sum += count));
      if (sum) eachBin(one, row, (low, high, count) => { if (count) found.push({ low, high, count: count / sum }); });
    }
  }
  const total = found.reduce((sum, bin) => sum + bin.count, 0) || 1;
  let below = 0;
  return found.sort((a, b) => a.low - b.low).map(({ low, high, count }) => ({ low, high, below: (below += count) / total }));
}

const CLIPPED = 0.001;
const FLAT = 0.02;

/**
 * The axis of values that holds some histograms. The symmetric logarithm, `sign(v) log(1 + |v| / c)`, holds all of them and
 * is linear where nearly nothing lies; the linear one leaves out a thousandth at either end where that tells more.
 */
export function valueAxis(all: Histograms[], log: boolean): ValueAxis | null {
  const bins = collect(all);
  if (!bins.length) return null;
  const quantile = (part: number) => bins.find((bin) => bin.below >= part) ?? bins.at(-1)!;
  let [lo, hi] = [bins[0]!.low, bins.reduce((most, bin) => Math.max(most, bin.high), -Infinity)];
  if (log) {
    if (lo === hi) [lo, hi] = [lo - 1, hi + 1];
    const sizes = bins.map((bin) => Math.max(Math.abs(bin.low), Math.abs(bin.high))).filter(Boolean).sort((a, b) => a - b);
    const c = Math.max(sizes[Math.floor(sizes.length * FLAT)] ?? 1, Math.max(-lo, hi) * 1e-9);
    const forward = (value: number) => Math.sign(value) * Math.log1p(Math.abs(value) / c);
    const back = (place: number) => Math.sign(place) * c * Math.expm1(Math.abs(place));
    const [from, to] = [forward(lo), forward(hi)];
    return { log, lo, hi, clipped: false, at: (value) => (forward(value) - from) / (to - from), value: (place) => back(from + place * (to - from)) };
  }
  const [inner, outer] = [quantile(CLIPPED).low, quantile(1 - CLIPPED).high];
  const clips = outer > inner && (hi - lo) > 2 * (outer - inner);
  if (clips) [lo, hi] = [inner, outer];
  if (lo === hi) [lo, hi] = [lo - 1, hi + 1];
  return { log, lo, hi, clipped: clips, at: (value) => (value - lo) / (hi - lo), value: (place) => lo + place * (hi - lo) };
}

/** How much of a row falls into each of some equally wide pieces of the axis; what lies beyond is not counted. */
export function masses(from: Histograms, row: number, axis: ValueAxis, pieces: number): Float32Array {
  const found = new Float32Array(pieces);
  eachBin(from, row, (low, high, count) => {
    const [a, b] = [axis.at(low) * pieces, axis.at(high) * pieces];
    if (!(b >= 0 && a <= pieces)) return;
    if (b - a < 1e-9) {
      found[Math.min(pieces - 1, Math.max(0, Math.floor(a)))]! += count;
      return;
    }
    for (let piece = Math.max(0, Math.floor(a)); piece < Math.min(pieces, b); piece++) {
      found[piece]! += (count * (Math.min(b, piece + 1) - Math.max(a, piece))) / (b - a);
    }
  });
  return found;
}

/** Where the axis is labelled: powers of ten on both sides of zero, or round numbers. */
export function valueTicks(axis: ValueAxis, count: number): number[] {
  if (!axis.log) return ticks(axis.lo, axis.hi, count);
  const found: number[] = axis.lo <= 0 && axis.hi >= 0 ? [0] : [];
  const gap = 1 / (count + 1);
  for (const sign of [1, -1]) {
    const most = sign > 0 ? axis.hi : -axis.lo;
    if (most <= 0) continue;
    for (let power = Math.floor(Math.log10(most)); power > -45; power--) {
      const value = sign * 10 ** power;
      const place = axis.at(value);
      if (place < -0.001 || place > 1.001) continue;
      if (found.every((other) => Math.abs(axis.at(other) - place) >= gap)) found.push(value);
      if (Math.abs(place - axis.at(0)) < gap) break;
    }
  }
  return found.sort((a, b) => a - b);
}

/** What is told of a row: how many numbers it counts, and how many of them are no finite ones. */
export function totals(from: Histograms, row: number): { finite: number; zeros: number; nonfinite: number } {
  let finite = 0;
  eachBin(from, row, (_low, _high, count) => (finite += count));
  return { finite, zeros: from.zeros[row]!, nonfinite: from.nan[row]! + from.inf[row]! + from.negInf[row]! };
}

/** Whether a row counts a sample of the numbers; counts come as singles, which are not exact above 2^24. */
export function sampled(from: Histograms, row: number): boolean {
  const { finite, nonfinite } = totals(from, row);
  return finite + nonfinite < 0.999 * from.size[row]!;
}
