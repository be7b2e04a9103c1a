/** Panels in sections: metrics by the text before their last "/", the machine's load in "system" at the end. What is looked at first comes first. */

import type { Metric } from '../api/types';
import { withoutChartTables } from '../media/kind';
import { byImportance, importance } from './importance';
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
  const rank = ({ name, isWatched, metrics }: Section) => (isWatched ? 30 : name === SYSTEM ? 20 : Math.min(...metrics.map(({ key }) => importance(key))));
  return [...found]
    .map(([name, list]) => ({ name, metrics: list.sort(byImportance), isWatched: WATCHED.test(`${name}/`) }))
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
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
