/** Axes: from values to pixels, and where ticks stand. */

export interface Scale {
  lo: number;
  hi: number;
  log: boolean;
  /** Position of a value between 0 (lo) and 1 (hi). */
  at: (value: number) => number;
}

export function scale(lo: number, hi: number, log = false): Scale {
  if (log && hi > 0) {
    const floor = Math.log10(lo > 0 ? lo : hi / 1e6);
    const span = Math.log10(hi) - floor || 1;
    return { lo, hi, log: true, at: (value) => (value > 0 ? (Math.log10(value) - floor) / span : NaN) };
  }
  const span = hi - lo || 1;
  return { lo, hi, log: false, at: (value) => (value - lo) / span };
}

/** What an axis counts, and so which steps between ticks are round: whole numbers, multiples of 1024, minutes and hours. */
export type Unit = 'number' | 'whole' | 'bytes' | 'seconds';

const CLOCK = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

function roundStep(rough: number, unit: Unit): number {
  if (unit === 'bytes' && rough > 1) {
    const scale = 1024 ** Math.floor(Math.log(rough) / Math.log(1024));
    return scale * roundStep(rough / scale, 'number');
  }
  if (unit === 'seconds' && rough > 1) return CLOCK.find((step) => step >= 0.75 * rough) ?? 86_400 * roundStep(rough / 86_400, 'whole');
  const power = 10 ** Math.floor(Math.log10(rough));
  const part = rough / power;
  const step = (part >= 7.5 ? 10 : part >= 3.5 ? 5 : part >= 1.5 ? 2 : 1) * power;
  return unit === 'whole' ? Math.max(1, step) : step;
}

export function ticks(lo: number, hi: number, count: number, log = false, unit: Unit = 'number'): number[] {
  if (log && lo > 0) {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(lo)); power <= Math.ceil(Math.log10(hi)); power++) {
      const value = 10 ** power;
      if (value >= lo * 0.999 && value <= hi * 1.001) found.push(value);
    }
    if (found.length > 1) return found;
  }
  if (!(hi > lo)) return [lo];
  const step = roundStep((hi - lo) / Math.max(1, count), unit);
  const found: number[] = [];
  for (let index = Math.ceil(lo / step - 1e-9) || 0; index * step <= hi + step * 1e-9; index++) found.push(index * step);
  return found;
}

/** Widens a range so that lines do not touch the frame; a range of one value gets some room around it. */
export function padded(lo: number, hi: number, log: boolean): [number, number] {
  if (!(lo <= hi)) return [0, 1];
  if (lo === 0 && hi === 0) return [0, 1];
  if (lo === hi) {
    const room = Math.abs(lo) * 0.1 || 1;
    return log && lo > 0 ? [lo / 2, lo * 2] : [lo - room, hi + room];
  }
  if (log && lo > 0) return [lo / (hi / lo) ** 0.04, hi * (hi / lo) ** 0.04];
  const room = (hi - lo) * 0.06;
  return [lo >= 0 && lo < room ? 0 : lo - room, hi + room];
}
