/** Exponential moving average, with the start corrected for its bias (Kingma and Ba, arXiv 1412.6980, section 3). */
export function smooth(values: Float32Array, weight: number): Float32Array {
  if (weight <= 0) return values;
  const out = new Float32Array(values.length);
  let mean = 0;
  let mass = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value !== value) {
      out[i] = NaN;
      continue;
    }
    mean = mean * weight + value * (1 - weight);
    mass = mass * weight + (1 - weight);
    out[i] = mean / mass;
  }
  return out;
}
