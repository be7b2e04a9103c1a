import { describe, expect, test } from 'vitest';
import { parseCloud } from './cloud';
import { blobUrl } from '../api/media';
import { isWide, itemsOf, panelKind, picturesOf, placed, snap, union, withoutChartTables } from './kind';
import { channel, labelOf, paint, rectOf } from './overlay';
import { isLong, isRich, leastOf, Pages, sourceOf } from './table';
import { extremes } from './waveform';

const metric = (key: string, type: string) => ({ key, type, system: false, axis: null, hidden: false, sources: [] });

describe('what a series holds', () => {
  test.each([['number', 'line'], ['log-histogram', 'histogram'], ['histogram', 'histogram'], ['image-file', 'media'], ['text', 'media']])(
    '%s is shown as %s', (type, kind) => expect(panelKind(metric('a', type))).toBe(kind),
  );
  test('the table of a chart is left out, others stay', () => {
    const found = withoutChartTables([metric('a', 'custom-chart'), metric('a_table', 'table-file'), metric('b_table', 'table-file')]);
    expect(found.map((one) => one.key)).toEqual(['a', 'b_table']);
    expect([isWide('table-file'), isWide('image-file')]).toEqual([true, false]);
  });
  test('a list is its items, a value itself, nothing none', () => {
    const image = { _type: 'image-file', sha256: 'x' };
    expect(itemsOf({ _type: 'images/separated', items: [image, image] })).toHaveLength(2);
    expect([itemsOf('text'), itemsOf(null)]).toEqual([['text'], []]);
    expect(picturesOf({ _type: 'media/separated', items: [image, { _type: 'html-file' }] })).toEqual([image]);
  });
});

test('media of an artifact are found in their version, whatever holds them', () => {
  const within = { entity: 'me', project: 'p', name: 'a b', version: 'v0' };
  const mask = { _type: 'mask', sha256: 'm', format: 'png' };
  const found = placed({ _type: 'table', rows: [[1, null, { _type: 'image-file', sha256: 'x', masks: { m: mask } }]] }, within) as any;
  expect([blobUrl(found.rows[0][2]), blobUrl(found.rows[0][2].masks.m)]).toEqual(['x', 'm'].map((hash) => `api/v1/projects/me/p/artifacts/a%20b/v0/blobs/${hash}`));
  expect([found.rows[0].slice(0, 2), found.within, blobUrl(mask)]).toEqual([[1, null], undefined, 'api/v1/blobs/m?format=png']);
  expect(sourceOf(placed({ _type: 'table-file', sha256: 't' }, within) as any)).toEqual({ tables: [['t']], join_key: '', within });
});

describe('steps', () => {
  test('are snapped to the last one before', () => {
    expect([0, 1, 9, 10, 99].map((step) => snap([1, 5, 10], step))).toEqual([0, 0, 1, 2, 2]);
    expect([snap([1, 5, 10], null), snap([], null)]).toEqual([2, -1]);
  });
  test('of several runs are each there once', () => expect(union([[1, 5], [2, 5, 9], []])).toEqual([1, 2, 5, 9]));
});

describe('boxes', () => {
  test('are parts of the picture, or pixels, by corners or middle', () => {
    const corners = { minX: 0.1, maxX: 0.3, minY: 0.5, maxY: 1 };
    expect(rectOf({ position: corners }, 100, 10)).toEqual({ x: 10, y: 5, width: 20, height: 5 });
    expect(rectOf({ position: { middle: [50, 5], width: 20, height: 4 }, domain: 'pixel' }, 100, 10)).toEqual({ x: 40, y: 3, width: 20, height: 4 });
  });
  test('say their caption, or class and score', () => {
    const position = { minX: 0, maxX: 1, minY: 0, maxY: 1 };
    expect(labelOf({ position, box_caption: 'mine', scores: { p: 0.5 } }, 'boat')).toBe('mine');
    expect(labelOf({ position, scores: { p: 0.987 } }, 'boat')).toBe('boat 0.99');
  });
});

test('a mask is painted class by class, and what is hidden is clear', () => {
  const pixels = paint({ width: 3, height: 1, classes: [0, 1, 300] }, (id) => (id === 0 ? null : id === 1 ? [10, 20, 30] : [1, 2, 3]), 1);
  expect(Array.from(pixels)).toEqual([0, 0, 0, 0, 10, 20, 30, 255, 1, 2, 3, 255]);
  expect(Array.from(channel([1, 9, 9, 2, 9, 9], 3))).toEqual([1, 2]);
});

test('a peak of a sound is in its column', () => {
  const samples = new Float32Array(1000);
  [samples[503], samples[504]] = [0.9, -0.7];
  const columns = extremes(samples, 10);
  expect([columns[5]![0], columns[5]![1]]).toEqual([Math.fround(-0.7), Math.fround(0.9)]);
  expect(columns.filter(([low, high]) => low || high)).toHaveLength(1);
});

describe('tables', () => {
  test('ask for the pages that are missing, and once', () => {
    const pages = new Pages(100);
    expect(pages.missing(250, 410)).toEqual([200, 300, 400]);
    pages.ask(300);
    pages.put(200, Array.from({ length: 100 }, (_, at) => [200 + at]));
    expect(pages.missing(250, 410)).toEqual([400]);
    expect([pages.get(250), pages.get(350)]).toEqual([[250], undefined]);
  });
  test('give texts that are long several lines, and no column less than it can be read in', () => {
    expect([isLong([['short', 1]]), isLong([[2], ['a'.repeat(80)]])]).toEqual([false, true]);
    const column = (...types: string[]) => ({ name: 'c', types }) as never;
    expect([leastOf(column('string')), leastOf(column('number')), leastOf(column('image-file')), leastOf(column('audio-file'))]).toEqual([150, 96, 104, 220]);
  });
  test('are named by the hashes of their parts', () => {
    const part = (sha256: string) => ({ _type: 'table-file', sha256 });
    expect(sourceOf({ _type: 'incremental-table-file', parts: [part('a'), part('b')] })).toEqual({ tables: [['a', 'b']], join_key: '' });
    expect(sourceOf({ _type: 'joined-table', table1: part('a'), table2: part('b'), join_key: 'id' })).toEqual({ tables: [['a'], ['b']], join_key: 'id' });
    expect(isRich({ name: 'x', types: ['image-file', 'none'] })).toBe(true);
  });
});

test('points have a class, or a colour, or neither', () => {
  expect(parseCloud([[1, 2, 3, 4]]).classes).toEqual([4]);
  expect(Array.from(parseCloud([[1, 2, 3, 255, 0, 51]]).colors!)).toEqual([1, 0, Math.fround(0.2)]);
  const cloud = parseCloud({ points: [[1, 2, 3]], boxes: [{ center: [0, 0, 0], size: [1, 1, 1], color: [1, 2, 3] }] });
  expect([cloud.colors, cloud.boxes[0]!.color, Array.from(cloud.positions)]).toEqual([null, 'rgb(1, 2, 3)', [1, 2, 3]]);
});
