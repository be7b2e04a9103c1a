/** Readings of a counter as what it counted a second, between each and the one before; a counter that began anew is a gap. */

import type { Curve } from '../api/curves';

export function rateOf(curve: Curve): Curve {
  const { x, last } = curve;
  const values = Float32Array.from(last, (value, at) => {
    if (!at) return NaN;
    const [counted, seconds] = [value - last[at - 1]!, x[at]! - x[at - 1]!];
    return counted >= 0 && seconds > 0 ? counted / seconds : NaN;
  });
  return { ...curve, last: values, min: values, max: values };
}
