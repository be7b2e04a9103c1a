/** Vega-Lite charts; loaded when the first is shown. Expressions are interpreted, for the page's policy forbids `eval`. */

import { loader, parse, View } from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import { compile } from 'vega-lite';
import { Handler } from 'vega-tooltip';
import type { TablePage } from '../api/media';
import { colorOf } from '../model/palette';
import { rgbOf } from './color';
import { theme } from '../state/theme.svelte';

const MOST_NODES = 4000;
const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A specification cannot fetch anything: its data came with it. */
function closedLoader() {
  const closed = loader();
  closed.load = (uri: string) => Promise.reject(new Error(`Charts load nothing, so not ${uri} either.`));
  return closed;
}

/** Draws a specification over the rows of a table named "table". */
export async function draw(target: HTMLElement, spec: Record<string, any>, page: TablePage, size: { width: number; height: number }): Promise<View> {
  const names = page.columns.map((column) => column.name);
  const rows = page.rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at + 1]])));
  const fitted = { ...spec, width: size.width, height: size.height, autosize: { type: 'fit', contains: 'padding' }, title: titled(spec.title) };
  const lite = !String(spec.$schema ?? '').includes('/vega/');
  const compiled = lite ? compile(fitted as any, { config: config() as any }).spec : (fitted as any);
  const view = new View(parse(compiled, lite ? undefined : (config() as any), { ast: true } as any), {
    container: target,
    expr: expressionInterpreter,
    loader: closedLoader(),
    renderer: rows.length > MOST_NODES ? 'canvas' : 'svg',
    hover: true,
    tooltip: new Handler({ theme: theme.dark ? 'dark' : 'light' }).call,
  } as any);
  if (compiled.data?.some((data: { name: string }) => data.name === 'table')) view.data('table', rows);
  return view.runAsync();
}

const titled = (title: unknown) => (typeof title === 'string' && title ? { text: title } : title || undefined);

function config(): Record<string, unknown> {
  const [text, soft, grid, line, surface, accent] = ['--text', '--text3', '--grid', '--line', '--surface', '--accent'].map(css);
  // Not up to the full colour, so that what is written over a cell stays readable.
  const tints = Array.from({ length: 7 }, (_, at) => `color-mix(in srgb, ${accent} ${4 + 10 * at}%, ${surface})`).map((color) => `rgb(${rgbOf(color).join(',')})`);
  const font = "'Inter Variable', system-ui, sans-serif";
  return {
    background: 'transparent',
    font,
    padding: 4,
    title: { color: text, fontSize: 12, fontWeight: 600, anchor: 'start', offset: 8 },
    axis: { labelColor: soft, titleColor: soft, titleFontWeight: 400, titleFontSize: 11, labelFontSize: 10.5, gridColor: grid, domainColor: line, tickColor: line, tickSize: 3 },
    axisX: { grid: false },
    legend: { labelColor: soft, titleColor: soft, titleFontWeight: 400, titleFontSize: 11, labelFontSize: 11, symbolSize: 60 },
    view: { stroke: null },
    range: {
      category: Array.from({ length: 10 }, (_, at) => colorOf(at, theme.dark)),
      heatmap: tints,
      ramp: tints,
      ordinal: tints,
    },
    mark: { color: accent },
    bar: { color: accent, cornerRadiusEnd: 2 },
    line: { strokeWidth: 1.6 },
    point: { filled: true, opacity: 0.7, size: 28 },
    text: { color: text, fontSize: 11 },
  };
}
