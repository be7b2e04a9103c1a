/** Curves as the server sends them: a JSON header, then little-endian columns that need no decoding. */

export interface Curve {
  run: string;
  stream: string;
  key: string;
  x: Float64Array;
  last: Float32Array;
  min: Float32Array;
  max: Float32Array;
  count: Uint32Array;
  nonfinite: number;
}

interface Entry {
  run: string;
  stream: string;
  key: string;
  n: number;
  offset: number;
  nonfinite: number;
}

const aligned = (bytes: number) => (bytes + 7) & ~7;

export function decodeCurves(data: ArrayBuffer): Curve[] {
  const length = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length))) as { series: Entry[] };
  const start = 4 + length;
  return header.series.map(({ n, offset, ...series }) => {
    let at = start + offset;
    const take = <T>(make: new (buffer: ArrayBuffer, offset: number, n: number) => T, width: number): T => {
      const column = new make(data, at, n);
      at += aligned(width * n);
      return column;
    };
    return {
      ...series,
      x: take(Float64Array, 8),
      last: take(Float32Array, 4),
      min: take(Float32Array, 4),
      max: take(Float32Array, 4),
      count: take(Uint32Array, 4),
    };
  });
}
