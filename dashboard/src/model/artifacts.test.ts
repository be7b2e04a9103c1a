import { expect, test } from 'vitest';
import type { CollectionRow } from '../api/artifacts';
import { byType, indented, mediaOf, previewOf, textOf, typeColor, usage, versionBefore } from './artifacts';

const row = (name: string, type: string, more: Partial<CollectionRow> = {}) =>
  ({ name, type, description: '', tags: [], aliases: [], ...more }) as unknown as CollectionRow;

test('artifacts are grouped by type, and found by any word of theirs', () => {
  const rows = [row('net', 'model', { aliases: [{ name: 'production', version: 'v1' }] }), row('digits', 'dataset', { tags: ['clean'] }), row('faces', 'dataset')];
  const names = (search: string) => byType(rows, search).map((group) => [group.type, ...group.rows.map((one) => one.name)]);
  expect(names('')).toEqual([['dataset', 'digits', 'faces'], ['model', 'net']]);
  expect(names('PROD net')).toEqual([['model', 'net']]);
  expect(names('clean')).toEqual([['dataset', 'digits']]);
  expect(names('dataset production')).toEqual([]);
});

test('the usage of a version can be pasted, whatever it is called', () => {
  const at = { entity: 'me', project: 'p', name: 'digits', version: 'v3' };
  expect(usage(at)).toEqual({ python: 'run.use_artifact("me/p/digits:v3")', shell: 'runhaven artifact get me/p/digits:v3' });
  expect(usage({ ...at, entity: "o'neil & co" }).shell).toBe(`runhaven artifact get 'o'\\''neil & co/p/digits:v3'`);
});

test.each([
  ['a/b.PNG', 'image'], ['t.table.json', 'media'], ['face.image-file.json', 'media'], ['x.csv', 'table'], ['c.json', 'text'], ['page.htm', 'page'], ['weights', 'text'], ['s.flac', 'audio'], ['v.mp4', 'video'],
])('%s is shown as %s', (path, kind) => expect(previewOf(path)).toBe(kind));

test('a file that is media itself is named by its bytes; one that refers to media is not', () => {
  expect(mediaOf('a/t.table.json', 'abc')).toEqual({ _type: 'table-file', sha256: 'abc', format: 'table.json' });
  expect(mediaOf('face.image-file.json', 'abc')).toBeNull();
});

test('text is told from other bytes, also where its last letter was cut', () => {
  const bytes = new TextEncoder().encode('grün');
  expect(textOf(bytes, true)).toBe('grün');
  expect(textOf(bytes.slice(0, 3), false)).toBe('gr');
  expect(textOf(bytes.slice(0, 3), true)).toBeNull();
  expect(textOf(new Uint8Array([65, 0, 66]), true)).toBeNull();
});

test('JSON is indented where it is sound', () => {
  expect(indented('a.json', '{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(indented('a.json', '{"a":')).toBe('{"a":');
  expect(indented('a.txt', '{"a":[1]}')).toBe('{"a":[1]}');
});

test('the version before is the newest older one that stands', () => {
  const all = [{ version: 'v3', deleted: null }, { version: 'v2', deleted: 7 }, { version: 'v1', deleted: null }];
  expect(['v3', 'v1'].map((version) => versionBefore(version, all))).toEqual(['v1', undefined]);
});

test('a type keeps its colour', () => {
  expect([typeColor('model'), typeColor('dataset')]).toEqual([2, 0]);
  expect(typeColor('anything')).toBe(typeColor('anything'));
});
