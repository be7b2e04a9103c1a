/**
 * Draws lines by columns: each series covers, in each column of pixels, one vertical span. Spans go straight into a
 * pixel buffer, which is an order of magnitude quicker than stroking paths, needs no GPU, and is a pure function.
 */

export interface Picture {
  width: number;
  height: number;
  /** RGBA, 8 bits each, not premultiplied. */
  pixels: Uint8ClampedArray;
}

export type Rgb = readonly [number, number, number];

export interface Spans {
  top: Float32Array;
  bottom: Float32Array;
}

export const blank = (width: number, height: number): Picture => ({
  width,
  height,
  pixels: new Uint8ClampedArray(4 * width * height),
});

/**
 * The vertical extent of a polyline in each column; NaN where it does not pass.
 *
 * @param xs pixel x of each point, ascending
 * @param ys pixel y of each point; a NaN interrupts the line
 */
export function lineSpans(xs: Float64Array, ys: Float64Array, width: number): Spans {
  const top = new Float32Array(width).fill(NaN);
  const bottom = new Float32Array(width).fill(NaN);
  const cover = (column: number, a: number, b: number) => {
    if (column < 0 || column >= width) return;
    const low = Math.min(a, b);
    const high = Math.max(a, b);
    if (!(top[column]! <= low)) top[column] = low;
    if (!(bottom[column]! >= high)) bottom[column] = high;
  };
  for (let i = 0; i < xs.length; i++) {
    const x = xs[i]!;
    const y = ys[i]!;
    if (y !== y) continue;
    cover(Math.floor(x), y, y);
    if (i === 0 || ys[i - 1] !== ys[i - 1]) continue;
    const x0 = xs[i - 1]!;
    const y0 = ys[i - 1]!;
    const slope = x > x0 ? (y - y0) / (x - x0) : 0;
    const first = Math.max(0, Math.floor(x0));
    const last = Math.min(width - 1, Math.floor(x));
    for (let column = first; column <= last; column++) {
      const from = Math.max(x0, column);
      const to = Math.min(x, column + 1);
      if (x > x0) cover(column, y0 + (from - x0) * slope, y0 + (to - x0) * slope);
      else cover(column, y0, y);
    }
  }
  return { top, bottom };
}

/** The area between two lines over the same points, by column. */
export function bandSpans(xs: Float64Array, lows: Float64Array, highs: Float64Array, width: number): Spans {
  const low = lineSpans(xs, lows, width);
  const high = lineSpans(xs, highs, width);
  for (let column = 0; column < width; column++) {
    low.top[column] = Math.min(low.top[column]!, high.top[column]!);
    low.bottom[column] = Math.max(low.bottom[column]!, high.bottom[column]!);
  }
  return low;
}

/** Fills spans with a colour; `grow` widens them up and down, and edges are as soft as they fall between pixels. */
export function fill(picture: Picture, spans: Spans, color: Rgb, alpha: number, grow = 0): void {
  const { width, height } = picture;
  for (let column = 0; column < width; column++) {
    const top = spans.top[column]! - grow;
    const bottom = spans.bottom[column]! + grow;
    if (!(bottom > 0 && top < height)) continue;
    const first = Math.max(0, Math.floor(top));
    const last = Math.min(height - 1, Math.ceil(bottom) - 1);
    for (let row = first; row <= last; row++) {
      const coverage = Math.min(bottom, row + 1) - Math.max(top, row);
      if (coverage > 0) blend(picture.pixels, 4 * (row * width + column), color, alpha * Math.min(1, coverage));
    }
  }
}

/** Whether points lie so far apart that one sees the slope between them, which spans would show as stairs. */
export const isSparse = (xs: Float64Array): boolean => xs.length > 1 && xs[xs.length - 1]! - xs[0]! >= 4 * (xs.length - 1);

/**
 * Draws a polyline of few points with the same thickness at every slope, and soft edges.
 *
 * @param xs pixel x of each point, ascending
 * @param ys pixel y of each point; a NaN interrupts the line
 * @param radius half of the line's thickness
 * @param dash how many columns are drawn, and how many then left out
 */
export function stroke(picture: Picture, xs: Float64Array, ys: Float64Array, color: Rgb, alpha: number, radius: number, dash?: readonly [number, number]): void {
  const reach = radius + 0.5;
  let first = 0;
  for (let column = 0; column < picture.width; column++) {
    const x = column + 0.5;
    while (first < xs.length - 1 && xs[first + 1]! < x - reach) first++;
    if (dash && column % (dash[0] + dash[1]) >= dash[0]) continue;
    let [low, high] = [Infinity, -Infinity];
    let end = first;
    for (; end < xs.length && xs[end]! <= x + reach; end++) {
      for (const at of [x - reach, x + reach]) {
        const y = heightAt(xs, ys, end, at);
        if (y < low) low = y;
        if (y > high) high = y;
      }
    }
    const last = Math.min(picture.height - 1, Math.floor(high + reach));
    for (let row = Math.max(0, Math.floor(low - reach)); row <= last; row++) {
      let coverage = 0;
      for (let at = first; at < end; at++) {
        const own = reach - distance(xs, ys, at, x, row + 0.5);
        if (own > coverage) coverage = own;
      }
      if (coverage > 0) blend(picture.pixels, 4 * (row * picture.width + column), color, alpha * Math.min(1, coverage));
    }
  }
}

/** The point at which the stretch that begins with a point ends: the next one, or itself before a gap. */
const endOf = (ys: Float64Array, at: number): number => (at + 1 < ys.length && !Number.isNaN(ys[at + 1]!) ? at + 1 : at);

/** The y of a stretch at an x, or at its end that is nearest to it. */
function heightAt(xs: Float64Array, ys: Float64Array, at: number, x: number): number {
  const end = endOf(ys, at);
  const run = xs[end]! - xs[at]!;
  return ys[at]! + (run > 0 ? Math.min(1, Math.max(0, (x - xs[at]!) / run)) : 1) * (ys[end]! - ys[at]!);
}

/** How far a place lies from a stretch; NaN in a gap. */
function distance(xs: Float64Array, ys: Float64Array, at: number, x: number, y: number): number {
  const end = endOf(ys, at);
  const [dx, dy] = [xs[end]! - xs[at]!, ys[end]! - ys[at]!];
  const share = Math.min(1, Math.max(0, ((x - xs[at]!) * dx + (y - ys[at]!) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - xs[at]! - share * dx, y - ys[at]! - share * dy);
}

function blend(pixels: Uint8ClampedArray, at: number, color: Rgb, alpha: number): void {
  const under = pixels[at + 3]! / 255;
  const over = alpha + under * (1 - alpha);
  const share = alpha / over;
  pixels[at] = pixels[at]! + (color[0] - pixels[at]!) * share;
  pixels[at + 1] = pixels[at + 1]! + (color[1] - pixels[at + 1]!) * share;
  pixels[at + 2] = pixels[at + 2]! + (color[2] - pixels[at + 2]!) * share;
  pixels[at + 3] = 255 * over;
}

/** Keeps of a line only the columns where its pattern of dashes is on. */
export function dashed(spans: Spans, on: number, off: number): Spans {
  const top = spans.top.slice();
  for (let column = 0; column < top.length; column++) if (column % (on + off) >= on) top[column] = NaN;
  return { top, bottom: spans.bottom };
}
