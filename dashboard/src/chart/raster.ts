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
export const isSparse = (xs: Float64Array): boolean => xs.length > 1 && xs[xs.length - 1]! - xs[0]! >= 8 * (xs.length - 1);

/**
 * Draws a polyline of few points with the same thickness at every slope, and soft edges.
 *
 * @param xs pixel x of each point, ascending
 * @param ys pixel y of each point; a NaN interrupts the line
 * @param radius half of the line's thickness
 * @param dash how many columns are drawn, and how many then left out
 */
export function stroke(picture: Picture, xs: Float64Array, ys: Float64Array, color: Rgb, alpha: number, radius: number, dash?: readonly [number, number]): void {
  const { width, height, pixels } = picture;
  const reach = radius + 0.5;
  const coverage = new Float32Array(height);
  let first = 0;
  for (let column = 0; column < width; column++) {
    const x = column + 0.5;
    while (first < xs.length - 1 && xs[first + 1]! < x - reach) first++;
    if (dash && column % (dash[0] + dash[1]) >= dash[0]) continue;
    let low = height;
    let high = -1;
    for (let at = first; at < xs.length && xs[at]! <= x + reach; at++) {
      if (ys[at] !== ys[at]) continue;
      // Before a gap, and at the end, a point stands for itself.
      const end = at + 1 < ys.length && ys[at + 1] === ys[at + 1] ? at + 1 : at;
      const [from, to] = cover(coverage, x, reach, xs[at]!, ys[at]!, xs[end]!, ys[end]!);
      low = Math.min(low, from);
      high = Math.max(high, to);
    }
    for (let row = low; row <= high; row++) {
      if (coverage[row]! > 0) blend(pixels, 4 * (row * width + column), color, alpha * Math.min(1, coverage[row]!));
      coverage[row] = 0;
    }
  }
}

/** Takes in how much of each pixel of a column lies near a stretch; returns the first and the last of these pixels. */
function cover(coverage: Float32Array, x: number, reach: number, x0: number, y0: number, x1: number, y1: number): [number, number] {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const inverse = 1 / (dx * dx + dy * dy || 1);
  const half = dx > 0 ? reach * Math.sqrt(1 + (dy / dx) ** 2) : Infinity;
  const middle = dx > 0 ? y0 + ((x - x0) / dx) * dy : y0;
  const from = Math.max(0, Math.floor(Math.max(Math.min(y0, y1) - reach, middle - half)));
  const to = Math.min(coverage.length - 1, Math.floor(Math.min(Math.max(y0, y1) + reach, middle + half)));
  for (let row = from; row <= to; row++) {
    const along = Math.min(1, Math.max(0, ((x - x0) * dx + (row + 0.5 - y0) * dy) * inverse));
    const right = x - x0 - along * dx;
    const below = row + 0.5 - y0 - along * dy;
    const own = reach - Math.sqrt(right * right + below * below);
    if (own > coverage[row]!) coverage[row] = own;
  }
  return [from, to];
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
