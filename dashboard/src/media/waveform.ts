/** The least and greatest sample of each of some equally long stretches: no peak is lost. */
export function extremes(samples: Float32Array, columns: number): [number, number][] {
  const found: [number, number][] = [];
  for (let column = 0; column < columns; column++) {
    const from = Math.floor((column * samples.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * samples.length) / columns));
    let [low, high] = [Infinity, -Infinity];
    for (let i = from; i < Math.min(to, samples.length); i++) {
      low = Math.min(low, samples[i]!);
      high = Math.max(high, samples[i]!);
    }
    found.push(low <= high ? [low, high] : [0, 0]);
  }
  return found;
}
