/** What a series holds, and so which panel shows it. */

import type { Metric } from '../api/types';
import type { Place } from '../api/artifacts';
import type { Reference } from '../api/media';

export type PanelKind = 'line' | 'histogram' | 'media';

const HISTOGRAMS = ['histogram', 'log-histogram'];
const WIDE = ['table-file', 'incremental-table-file', 'joined-table'];

export const panelKind = (metric: Metric): PanelKind =>
  metric.type === 'number' ? 'line' : HISTOGRAMS.includes(metric.type) ? 'histogram' : 'media';

export const isWide = (type: string): boolean => WIDE.includes(type);

/** The tables of charts are kept under keys of their own; beside their chart they would show the same twice. */
export function withoutChartTables<T extends Pick<Metric, 'key' | 'type'>>(metrics: T[]): T[] {
  const charts = metrics.filter((metric) => metric.type === 'custom-chart').map((metric) => `${metric.key}_table`);
  return metrics.filter((metric) => !charts.some((key) => metric.key === key || metric.key === `Custom Chart Tables/${key}`));
}

export const isReference = (value: unknown): value is Reference =>
  value !== null && typeof value === 'object' && typeof (value as Reference)._type === 'string';

/** A value whose references, and those in it, say in which version of an artifact their bytes lie. */
export function placed(value: unknown, within: Place): unknown {
  if (Array.isArray(value)) return value.map((item) => placed(item, within));
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).map(([name, item]) => [name, placed(item, within)]);
  return Object.fromEntries('sha256' in value ? [...fields, ['within', within]] : fields);
}

/** The values that were logged as one, or the value alone. */
export const itemsOf = (value: unknown): unknown[] =>
  isReference(value) && Array.isArray(value.items) ? value.items : value === null || value === undefined ? [] : [value];

/** All pictures of a value, so that they can be fetched before they are shown. */
export const picturesOf = (value: unknown): Reference[] =>
  itemsOf(value).filter((item): item is Reference => isReference(item) && item._type === 'image-file');

/** The last step that is not after `step`; the first where all are; null means the newest. */
export function snap(steps: number[], step: number | null): number {
  if (step === null) return steps.length - 1;
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]! <= step) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** All steps of several series, ascending, each once. */
export const union = (lists: number[][]): number[] => [...new Set(lists.flat())].sort((a, b) => a - b);
