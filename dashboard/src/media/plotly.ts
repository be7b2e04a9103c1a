/** Plotly's figures; loaded when the first is shown. The strict bundle needs no `eval`. */

import Plotly from 'plotly.js-strict-dist-min';
import { colorOf } from '../model/palette';
import { theme } from '../state/theme.svelte';

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export async function draw(target: HTMLElement, figure: Record<string, any>, height: number): Promise<void> {
  const layout = { ...figure.layout, template: themed(), autosize: true, height, width: undefined };
  layout.margin ??= { l: 48, r: 16, t: layout.title ? 40 : 16, b: 40 };
  await Plotly.react(target, figure.data ?? [], layout, {
    displaylogo: false,
    responsive: true,
    modeBarButtonsToRemove: ['sendDataToCloud'],
    plotlyServerURL: '',
  });
}

export const remove = (target: HTMLElement): void => Plotly.purge(target);

/** Our colours where the figure says nothing of its own; what it sets itself stays. */
function themed() {
  const axis = { gridcolor: css('--grid'), linecolor: css('--line'), zerolinecolor: css('--line'), tickcolor: css('--line'), automargin: true };
  const scene = { ...axis, backgroundcolor: css('--surface'), showbackground: false };
  const ramp = [[0, css('--surface')], [1, css('--accent')]];
  return {
    layout: {
      paper_bgcolor: 'rgba(0,0,0,0)',
      plot_bgcolor: 'rgba(0,0,0,0)',
      font: { family: "'Inter Variable', system-ui, sans-serif", size: 11.5, color: css('--text2') },
      colorway: Array.from({ length: 10 }, (_, at) => colorOf(at, theme.dark)),
      colorscale: { sequential: ramp },
      xaxis: axis,
      yaxis: axis,
      scene: { xaxis: scene, yaxis: scene, zaxis: scene },
      legend: { bgcolor: 'rgba(0,0,0,0)' },
      modebar: { bgcolor: 'rgba(0,0,0,0)', color: css('--text3'), activecolor: css('--accent') },
    },
    data: { heatmap: [{ colorscale: ramp }] },
  };
}
