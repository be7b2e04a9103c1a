/** From curves to a picture: ranges, lines, bands and axes. */

import type { Curve } from '../api/curves';
import { dashOf, rgbOf } from '../model/palette';
import { bandSpans, blank, dashed, fill, isSparse, lineSpans, stroke, type Picture, type Rgb } from './raster';
import { padded, scale, type Scale } from './scale';
import { smooth } from './smooth';

export interface Line {
  curve: Curve;
  /** Smoothed values, or the curve's own. */
  shown: Float32Array;
  color: number;
  name: string;
  /** What is highlighted together: the run, or what else the lines of a chart are told apart by. */
  id: string;
}

export interface Look {
  smoothing: number;
  envelope: boolean;
  log: boolean;
  dark: boolean;
  hovered: string | null;
}

export const toLine = (curve: Curve, color: number, name: string, smoothing: number, id = curve.run): Line => ({
  curve,
  shown: smooth(curve.last, smoothing),
  color,
  name,
  id,
});

export interface Frame {
  x: Scale;
  y: Scale;
}

/** The ranges that hold everything drawn; the room above it ends at `most`, unless values lie beyond. */
export function frameOf(lines: Line[], zoom: [number, number] | undefined, look: Look, most = Infinity): Frame | null {
  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { curve } of lines) {
    if (!curve.x.length) continue;
    x0 = Math.min(x0, curve.x[0]!);
    x1 = Math.max(x1, curve.x[curve.x.length - 1]!);
    for (let i = 0; i < curve.x.length; i++) {
      const low = look.envelope ? curve.min[i]! : curve.last[i]!;
      const high = look.envelope ? curve.max[i]! : curve.last[i]!;
      if (low < y0 && (!look.log || low > 0)) y0 = low;
      if (high > y1) y1 = high;
    }
  }
  if (!(x0 <= x1)) return null;
  if (zoom) [x0, x1] = zoom;
  if (x0 === x1) [x0, x1] = [x0 - 0.5, x1 + 0.5];
  const useLog = look.log && y1 > 0;
  const [lo, hi] = padded(y0, y1, useLog);
  return { x: scale(x0, x1), y: scale(lo, y1 <= most ? Math.min(hi, most) : hi, useLog) };
}

export function drawLines(lines: Line[], frame: Frame, width: number, height: number, ratio: number, look: Look): Picture {
  const picture = blank(width, height);
  const someHovered = lines.some((line) => line.id === look.hovered);
  const order = someHovered ? [...lines].sort((a, b) => rank(a, look) - rank(b, look)) : lines;
  for (const line of order) {
    const { curve, shown } = line;
    const xs = curve.x.map((x) => frame.x.at(x) * (width - 1) + 0.5);
    const toY = (values: Float32Array) => Float64Array.from(values, (value) => (1 - frame.y.at(value)) * height);
    const color = rgbOf(line.color, look.dark);
    const isHovered = line.id === look.hovered;
    const faint = someHovered && !isHovered ? 0.38 : 1;
    if (look.envelope) fill(picture, bandSpans(xs, toY(curve.min), toY(curve.max), width), color, 0.13 * faint);
    if (look.smoothing > 0) trace(picture, xs, toY(curve.last), color, 0.25 * faint, 0.5 * ratio);
    const dash = dashOf(line.color)?.map((columns) => columns * ratio) as [number, number] | undefined;
    trace(picture, xs, toY(shown), color, 0.95 * faint, (isHovered ? 1.1 : 0.65) * ratio, dash);
    if (curve.x.length === 1) dot(picture, xs[0]!, toY(shown)[0]!, 2.6 * ratio, color);
  }
  return picture;
}

function trace(picture: Picture, xs: Float64Array, ys: Float64Array, color: Rgb, alpha: number, radius: number, dash?: [number, number]): void {
  if (isSparse(xs)) return stroke(picture, xs, ys, color, alpha, radius, dash);
  const spans = lineSpans(xs, ys, picture.width);
  fill(picture, dash ? dashed(spans, ...dash) : spans, color, alpha, radius);
}

const rank = (line: Line, look: Look) => (line.id === look.hovered ? 1 : 0);

function dot(picture: Picture, x: number, y: number, radius: number, color: Rgb): void {
  const top = new Float32Array(picture.width).fill(NaN);
  const bottom = new Float32Array(picture.width).fill(NaN);
  for (let column = Math.floor(x - radius); column <= x + radius; column++) {
    const half = Math.sqrt(Math.max(0, radius ** 2 - (column + 0.5 - x) ** 2));
    if (column >= 0 && column < picture.width && half > 0) [top[column], bottom[column]] = [y - half, y + half];
  }
  fill(picture, { top, bottom }, color, 1);
}

/** The bucket of a curve that is nearest to an x. */
export function nearest(curve: Curve, x: number): number {
  let [low, high] = [0, curve.x.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (curve.x[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - curve.x[low - 1]! < curve.x[low]! - x ? low - 1 : low;
}
