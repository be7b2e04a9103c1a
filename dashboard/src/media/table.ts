/** Tables page by page, and how wide their columns are. */

import type { Reference, TableColumn, TableQuery } from '../api/media';

const RICH = ['image-file', 'audio-file', 'video-file', 'html-file', 'plotly-file', 'object3D-file', 'molecule-file', 'histogram'];

export const isRich = (column: TableColumn): boolean => column.types.some((type) => RICH.includes(type));

export const widthOf = (column: TableColumn): string =>
  column.types.includes('audio-file') ? '220px'
  : isRich(column) ? '104px'
  : column.types.every((type) => ['number', 'none', 'boolean'].includes(type)) ? 'minmax(96px, 0.5fr)'
  : 'minmax(150px, 1fr)';

/** How narrow a column may become, in pixels. */
export const leastOf = (column: TableColumn): number => Number(/\d+/.exec(widthOf(column))![0]);

const LONG = 70;

/** Whether some texts are too long for one line. */
export const isLong = (rows: unknown[][]): boolean => rows.some((row) => row.some((cell) => typeof cell === 'string' && cell.length > LONG));

const partsOf = (table: Reference): Reference[] => (table._type === 'incremental-table-file' ? table.parts : [table]);

/** What names the rows of a table to the server. */
export function sourceOf(table: Reference): Pick<TableQuery, 'tables' | 'within' | 'join_key'> {
  const isJoined = table._type === 'joined-table';
  const tables = (isJoined ? [table.table1, table.table2] : [table]).map(partsOf);
  const hashes = tables.map((parts) => parts.map((part) => part.sha256 ?? ''));
  return { tables: hashes, within: tables[0]![0]?.within, join_key: isJoined ? table.join_key : '' };
}

/** Rows that have arrived, by page; `null` stands for a page that is on its way. */
export class Pages {
  constructor(
    private size: number,
    private held = new Map<number, unknown[][] | null>(),
  ) {}

  get(row: number): unknown[] | undefined {
    const start = row - (row % this.size);
    return this.held.get(start)?.[row - start];
  }
  ask(start: number): void {
    this.held.set(start, null);
  }
  put(start: number, rows: unknown[][]): void {
    this.held.set(start, rows);
  }
  forget(start: number): void {
    this.held.delete(start);
  }
  /** Starts of the pages between two rows that nobody has asked for. */
  missing(first: number, last: number): number[] {
    const found: number[] = [];
    for (let start = first - (first % this.size); start < last; start += this.size) if (!this.held.has(start)) found.push(start);
    return found;
  }
  copy(): Pages {
    return new Pages(this.size, this.held);
  }
}
