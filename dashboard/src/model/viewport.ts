/** What part of a drawing is seen: moved by x and y pixels, then magnified by k. */

import type { Point } from './layout';

export interface View {
  x: number;
  y: number;
  k: number;
}

interface Size {
  width: number;
  height: number;
}

const SMALLEST = 0.15;
const LARGEST = 2.5;
/** Below this, names cannot be read any more. */
const LEGIBLE = 0.8;

/** The view that shows all of a drawing; where that would be illegible, and `all` is not wanted, as much as there is room for around a point. */
export function fitted(layout: Size, around: Point, seen: Size, all: boolean): View {
  const whole = Math.min(1, seen.width / layout.width, seen.height / layout.height);
  const k = Math.max(SMALLEST, all ? whole : Math.max(whole, LEGIBLE));
  return { x: offset(layout.width * k, around.x * k, seen.width), y: offset(layout.height * k, around.y * k, seen.height), k };
}

/** Where a drawing begins: it is centred if it has room, else as near to a point as leaves no margin empty. */
function offset(length: number, at: number, room: number): number {
  if (length <= room) return (room - length) / 2;
  return Math.min(0, Math.max(room - length, room / 2 - at));
}

/** The view magnified further, with the point at x and y staying where it is. */
export function zoomed(view: View, by: number, x: number, y: number): View {
  const k = Math.min(LARGEST, Math.max(SMALLEST, view.k * by));
  const ratio = k / view.k;
  return { x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio, k };
}

/** The part of a drawing that is seen, in its own units. */
export const seenPart = (view: View, { width, height }: Size) => ({ x: -view.x / view.k, y: -view.y / view.k, width: width / view.k, height: height / view.k });
