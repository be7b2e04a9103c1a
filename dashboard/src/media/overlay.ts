/** Geometry and pixels of what is drawn over a picture. */

export interface Box {
  position: { minX: number; maxX: number; minY: number; maxY: number } | { middle: [number, number]; width: number; height: number };
  class_id?: number | null;
  domain?: string;
  box_caption?: string;
  scores?: Record<string, number>;
}

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Where a box lies, in pixels of a picture of this size; positions are parts of the picture unless they say "pixel". */
export function rectOf(box: Box, width: number, height: number): Rect {
  const [sx, sy] = box.domain === 'pixel' ? [1, 1] : [width, height];
  const at = box.position;
  if ('middle' in at) {
    return { x: (at.middle[0] - at.width / 2) * sx, y: (at.middle[1] - at.height / 2) * sy, width: at.width * sx, height: at.height * sy };
  }
  return { x: at.minX * sx, y: at.minY * sy, width: (at.maxX - at.minX) * sx, height: (at.maxY - at.minY) * sy };
}

export const labelOf = (box: Box, name: string): string => {
  const score = Object.values(box.scores ?? {})[0];
  const text = box.box_caption || name;
  return score === undefined || box.box_caption ? text : `${text} ${Number(score.toFixed(2))}`.trim();
};

export interface Mask {
  width: number;
  height: number;
  /** The class of each pixel. */
  classes: ArrayLike<number>;
}

/** RGBA of a mask: each class in its colour, those without one clear; class 0 is the background. */
export function paint(mask: Mask, color: (id: number) => readonly [number, number, number] | null, alpha = 0.55): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * mask.width * mask.height);
  const known = new Map<number, readonly [number, number, number] | null>();
  for (let i = 0; i < mask.classes.length; i++) {
    const id = mask.classes[i]!;
    if (!known.has(id)) known.set(id, color(id));
    const rgb = known.get(id);
    if (!rgb) continue;
    pixels.set([...rgb, 255 * alpha], 4 * i);
  }
  return pixels;
}

/** The first channel of a decoded PNG. */
export const channel = (data: ArrayLike<number>, channels: number): ArrayLike<number> =>
  channels === 1 ? data : Array.from({ length: data.length / channels }, (_, i) => data[i * channels]!);
