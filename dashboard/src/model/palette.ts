/** Run colours by order of creation; after ten the cycle repeats with a pattern of dashes. */

import type { Rgb } from '../chart/raster';

const LIGHT = '026884 AC6305 752DA6 1B9677 A13A3C CA74B6 0B3C75 8F983F 7D65B9 701A0B'.split(' ');
const DARK = '6CDCFD FDCD82 9C7CFE 1BCBA8 F26943 BC71A1 7EA3E9 A5C448 8367BF D43B44'.split(' ');
const DASHES: ([number, number] | null)[] = [null, [6, 3], [2, 2], [9, 3]];

export const colorOf = (index: number, dark: boolean): string => `#${(dark ? DARK : LIGHT)[index % 10]}`;
export const dashOf = (index: number): [number, number] | null => DASHES[Math.floor(index / 10) % DASHES.length]!;

export function rgbOf(index: number, dark: boolean): Rgb {
  const hex = colorOf(index, dark);
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as unknown as Rgb;
}
