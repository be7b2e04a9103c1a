/** Panels in sections: metrics by the text before their last "/", the machine's load in "system" at the end. */

import type { Metric } from '../api/types';
import { withoutChartTables } from '../media/kind';
import { WATCHED } from './modules';

export interface Section {
  name: string;
  metrics: Metric[];
  /** Gradients and parameters of a model: hundreds of panels, which stay closed until somebody asks for them. */
  isWatched: boolean;
}

export const PLAIN = 'metrics';
export const SYSTEM = 'system';

export function sectionOf(metric: Metric): string {
  if (metric.system) return SYSTEM;
  const at = metric.key.lastIndexOf('/');
  return at > 0 ? metric.key.slice(0, at) : PLAIN;
}

export function sections(metrics: Metric[], search: string): Section[] {
  const matches = matcher(search);
  const found = new Map<string, Metric[]>();
  for (const metric of withoutChartTables(metrics)) {
    if ((metric.hidden && !search) || !matches(metric.key)) continue;
    const name = sectionOf(metric);
    found.set(name, [...(found.get(name) ?? []), metric]);
  }
  const rank = (name: string) => (name === SYSTEM ? 2 : WATCHED.test(`${name}/`) ? 3 : name === PLAIN ? 1 : 0);
  return [...found]
    .map(([name, list]) => ({ name, metrics: list.sort((a, b) => a.key.localeCompare(b.key, undefined, { numeric: true })), isWatched: WATCHED.test(`${name}/`) }))
    .sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
}

/** A search that is no regular expression is taken as plain text. */
function matcher(search: string): (key: string) => boolean {
  if (!search) return () => true;
  try {
    const pattern = new RegExp(search, 'i');
    return (key) => pattern.test(key);
  } catch {
    return (key) => key.toLowerCase().includes(search.toLowerCase());
  }
}
