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
