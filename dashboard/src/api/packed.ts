/** Replies that are a JSON header and little-endian columns behind it, which need no decoding. */

type Column<T> = new (buffer: ArrayBuffer, offset: number, length: number) => T;

const WIDTH = 8;

/** Takes one column after the other from where a series begins; each is padded to eight bytes. */
export class Columns {
  constructor(
    private data: ArrayBuffer,
    private at: number,
  ) {}

  take<T>(make: Column<T> & { BYTES_PER_ELEMENT: number }, length: number): T {
    const column = new make(this.data, this.at, length);
    this.at += (make.BYTES_PER_ELEMENT * length + WIDTH - 1) & -WIDTH;
    return column;
  }
}

/** What the header says of each series, with its columns. */
export function unpack<T extends { offset: number }>(data: ArrayBuffer): [T, Columns][] {
  const length = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length))) as { series: T[] };
  return header.series.map((series) => [series, new Columns(data, 4 + length + series.offset)]);
}
