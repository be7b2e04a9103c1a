/** How charts are drawn; remembered by this browser, and the same on every page. */

const KEY = 'runhaven.view';

const defaults = { x: 'step', smoothing: 0, envelope: true, log: false, outliers: true, ridge: false, histogramLog: null as boolean | null };

function load(): typeof defaults {
  try {
    return { ...defaults, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') };
  } catch {
    return { ...defaults };
  }
}

export const view = $state({
  ...load(),
  /** The part of the x axis that is zoomed to, by x. */
  zoom: {} as Record<string, [number, number] | undefined>,
  /** The x that the pointer is at, by x axis. */
  cross: null as { axis: string; x: number } | null,
  /** The run that the pointer is on, in a table or a chart. */
  hovered: null as string | null,
});

export function remember(): void {
  const { x, smoothing, envelope, log, outliers, ridge, histogramLog } = view;
  localStorage.setItem(KEY, JSON.stringify({ x, smoothing, envelope, log, outliers, ridge, histogramLog }));
}
