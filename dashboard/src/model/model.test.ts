import { describe, expect, test } from 'vitest';
import type { RunRow } from '../api/types';
import { decodeCurves } from '../api/curves';
import { parseFilter } from './filter';
import { bytes, duration, short, valueOf } from './format';
import { sections } from './sections';

const run = {
  name: 'calm-harbour-12', id: 'abc', state: 'finished', tags: ['baseline'], group: '', job_type: '', host: 'node', notes: '',
  config: { lr: 0.001, optimizer: 'adamw' }, summary: { 'val/loss': 0.4 },
} as unknown as RunRow;

describe('filter', () => {
  test.each([
    ['harbour', true], ['HARBOUR baseline', true], ['harbour sgd', false], ['lr < 1e-2', true], ['lr<1e-4', false],
    ['val/loss >= 0.4 harbour', true], ['optimizer = adamw', true], ['state != failed', true], ['missing > 3', false], ['', true],
  ])('%s', (text, expected) => expect(parseFilter(text)(run)).toBe(expected));
});

test('numbers are short and keep their meaning', () => {
  expect([short(0.41271), short(120000), short(0.00012), short(0), short(1e-5), short(5 * 1e-4)]).toEqual(['0.4127', '120k', '1.2e-4', '0', '1e-5', '5e-4']);
  expect([bytes(1536), valueOf('gpu/0/power_watts', 71.25), duration(3725), duration(5)]).toEqual(['1.5 kB', '71.3 W', '1h 2m', '5s']);
});

test('metrics fall into sections by the text before their last slash, the most telling first', () => {
  const metric = (key: string, system = false) => ({ key, type: 'number', system, axis: null, hidden: false, sources: [] });
  const found = sections([metric('val/loss'), metric('loss'), metric('train/a'), metric('train/loss'), metric('speed/step_ms'), metric('cpu/x', true)], '');
  expect(found.map((section) => section.name)).toEqual(['val', 'metrics', 'train', 'speed', 'system']);
  expect(found[2]!.metrics.map(({ key }) => key)).toEqual(['train/loss', 'train/a']);
});

test('curves are decoded where they lie', () => {
  const header = JSON.stringify({ series: [{ run: 'r', stream: '', key: 'k', n: 1, offset: 0, nonfinite: 0 }] });
  const length = header.length + ((8 - ((4 + header.length) % 8)) % 8);
  const data = new ArrayBuffer(4 + length + 8 * 5);
  new DataView(data).setUint32(0, length, true);
  new Uint8Array(data, 4).set(new TextEncoder().encode(header.padEnd(length)));
  new Float64Array(data, 4 + length, 1)[0] = 7;
  new Float32Array(data, 4 + length + 8, 1)[0] = 0.5;
  const [curve] = decodeCurves(data);
  expect([curve!.x[0], curve!.last[0], curve!.key]).toEqual([7, 0.5, 'k']);
});
