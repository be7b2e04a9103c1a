/** How values look on the page. */

import type { Scalar } from '../api/types';

const UNITS: [RegExp, (value: number) => string][] = [
  [/_bytes$/, (value) => bytes(value)],
  [/_bytes_per_second$/, (value) => `${bytes(value)}/s`],
  [/_mhz$/, (value) => `${trim(value)} MHz`],
  [/_percent$/, (value) => `${trim(value)} %`],
  [/_watts$/, (value) => `${trim(value)} W`],
  [/_celsius$/, (value) => `${trim(value)} °C`],
];

const trim = (value: number) => String(Number(value.toPrecision(3)));

export function short(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size >= 1e9) return `${Number((value / 1e9).toFixed(1))}G`;
  if (size >= 1e6) return `${Number((value / 1e6).toFixed(1))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toFixed(1))}k`;
  if (value === 0) return '0';
  if (size < 1e-3) return Number(value.toPrecision(2)).toExponential();
  return String(Number(value.toPrecision(4)));
}

export function bytes(value: number): string {
  const names = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  while (Math.abs(value) >= 1024 && at < names.length - 1) {
    value /= 1024;
    at++;
  }
  return `${trim(value)} ${names[at]}`;
}

/** A metric's value with the unit that its name ends in. */
export const valueOf = (key: string, value: number): string =>
  (UNITS.find(([pattern]) => pattern.test(key))?.[1] ?? short)(value);

export function scalar(value: Scalar | undefined): string {
  if (value === undefined || value === null) return '–';
  return typeof value === 'number' ? short(value) : String(value);
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${String(Math.floor(seconds % 60)).padStart(2, '0')}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

export function ago(micros: number): string {
  const seconds = Math.max(0, Date.now() / 1000 - micros / 1e6);
  return seconds < 5 ? 'now' : `${duration(Math.floor(seconds)).split(' ')[0]} ago`;
}

export const clock = (seconds: number): string => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
export const dateTime = (micros: number): string => new Date(micros / 1000).toLocaleString();
export const date = (micros: number): string => {
  const at = new Date(micros / 1000);
  const now = new Date();
  const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
  if (at.toDateString() === now.toDateString()) return `today ${time}`;
  const year = at.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  return at.toLocaleDateString([], { day: 'numeric', month: 'short', year });
};
