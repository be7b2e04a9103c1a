/** Artifacts as the pages show them. */

import type { CollectionRow, Place } from '../api/artifacts';

export interface TypeGroup {
  type: string;
  rows: CollectionRow[];
}

/** Artifacts by type: those whose name, type, alias, tag or description holds all words. */
export function byType(rows: CollectionRow[], search: string): TypeGroup[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = new Map<string, CollectionRow[]>();
  for (const row of rows) {
    const text = [row.name, row.type, row.description, ...row.tags, ...row.aliases.map((alias) => alias.name)].join(' ').toLowerCase();
    if (words.every((word) => text.includes(word))) found.set(row.type, [...(found.get(row.type) ?? []), row]);
  }
  return [...found].map(([type, list]) => ({ type, rows: list })).sort((a, b) => a.type.localeCompare(b.type));
}

const COLORS: Record<string, number> = { dataset: 0, model: 2, table: 1, code: 3 };

/** A colour of the palette for a type: the common ones have their own, any other always the same. */
export function typeColor(type: string): number {
  let sum = 0;
  for (const letter of type) sum = (sum * 31 + letter.codePointAt(0)!) % 997;
  return COLORS[type] ?? 4 + (sum % 6);
}

/** Aliases that say what is in use stand out. */
export const isProminent = (alias: string): boolean => /^prod(uction)?$/i.test(alias);

/** What to write to use a version: in a script, and in a shell. `here` is the project that the reader is in. */
export function usage(at: Place): { python: string; shell: string } {
  const name = `${at.entity}/${at.project}/${at.name}:${at.version}`;
  const quoted = /^[\w./:@%+=-]+$/.test(name) ? name : `'${name.replace(/'/g, `'\\''`)}'`;
  return { python: `run.use_artifact(${JSON.stringify(name)})`, shell: `runhaven artifact get ${quoted}` };
}

export type Preview = 'image' | 'audio' | 'video' | 'page' | 'table' | 'media' | 'text';

const PREVIEWS: [Preview, RegExp][] = [
  ['media', /\.(table|histogram|log-histogram|custom-chart|joined-table|[A-Za-z0-9-]+-file)\.json$/],
  ['media', /\.(glb|obj|stl|pdb|smi|plotly\.json|pts\.json)$/],
  ['table', /\.(csv|tsv|jsonl|parquet)$/i],
  ['image', /\.(png|jpe?g|gif|webp|bmp|svg|avif)$/i],
  ['audio', /\.(wav|mp3|flac|m4a|oga)$/i],
  ['video', /\.(mp4|webm|ogg)$/i],
  ['page', /\.html?$/i],
];

/**
 * How a file is shown, by its name; what is neither picture, sound, page nor table is looked at as text. Media that were
 * added as such are named by what they are, and shown as they are elsewhere, by their hash.
 */
export const previewOf = (path: string): Preview => PREVIEWS.find(([, pattern]) => pattern.test(path))?.[0] ?? 'text';

const MEDIA: Record<string, string> = {
  'table.json': 'table-file', glb: 'object3D-file', obj: 'object3D-file', stl: 'object3D-file', 'pts.json': 'object3D-file',
  pdb: 'molecule-file', smi: 'molecule-file', 'plotly.json': 'plotly-file',
};

/** The reference to a file that is media itself; null for one that holds a reference. */
export function mediaOf(path: string, digest: string): { _type: string; sha256: string; format: string } | null {
  const format = Object.keys(MEDIA).find((ending) => path.endsWith(`.${ending}`));
  return format ? { _type: MEDIA[format]!, sha256: digest, format } : null;
}

/** The text that some bytes hold, or null if they hold none; a letter that was cut off at the end is left out. */
export function textOf(bytes: Uint8Array, isWhole: boolean): string | null {
  if (bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !isWhole });
  } catch {
    return null;
  }
}

/** JSON, indented if it is whole and valid; any other text as it is. */
export function indented(path: string, text: string): string {
  if (!/\.json$/i.test(path)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The version before this one that still stands, from versions with the newest first. */
export function versionBefore(version: string, all: { version: string; deleted: number | null }[]): string | undefined {
  const at = all.findIndex((one) => one.version === version);
  return all.slice(at + 1).find((one) => one.deleted === null)?.version;
}
