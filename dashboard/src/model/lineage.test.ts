import { describe, expect, test } from 'vitest';
import type { Lineage, LineageNode } from '../api/artifacts';
import { HEIGHT, WIDTH, curve, layOut } from './layout';
import { grouped, kin, near, roles, steps, summary } from './lineage';

const NONE = new Map<string, number>();

/** From "run-1 > data:v0 > run-2": runs are called run-..., all else is a version. */
function lineage(root: string, ...chains: string[]): Lineage {
  const nodes = new Map<string, LineageNode>();
  const edges = new Map<string, Lineage['edges'][number]>();
  for (const chain of chains) {
    const ids = chain.split(' > ');
    for (const id of ids) if (!nodes.has(id)) nodes.set(id, node(id));
    ids.slice(1).forEach((target, at) => {
      const source = ids[at]!;
      edges.set(`${source} ${target}`, { source, target, kind: source.startsWith('run-') ? 'output' : 'input', use_as: null });
    });
  }
  return { root, nodes: [...nodes.values()], edges: [...edges.values()] };
}

function node(id: string): LineageNode {
  const isRun = id.startsWith('run-');
  const [name, version = ''] = id.split(':');
  const place = isRun ? null : { entity: 'me', project: 'p', name: name!, version };
  return { id, kind: isRun ? 'run' : 'artifact', name: id, type: '', state: isRun ? 'finished' : 'committed', created: 0, changes: [], place, ulid: '', aliases: [], size: 1, runtime_s: 1 };
}

const fan = (count: number) => Array.from({ length: count }, (_, at) => `data:v0 > run-${at} > net:v${at}`);

describe('roles', () => {
  test('runs that take the same and make the same stand together, and so does what they made', () => {
    const graph = grouped(lineage('data:v0', 'run-build > data:v0', ...fan(6)), 5, NONE);
    expect(graph.nodes.map((one) => one.members.length)).toEqual([1, 1, 6, 6]);
    expect(graph.edges).toHaveLength(3);
  });

  test('what went on into something else, has an alias or is gone stands alone, and its run with it', () => {
    const found = lineage('data:v0', ...fan(8), 'net:v3 > run-eval > scores:v0');
    found.nodes.find(({ id }) => id === 'net:v5')!.aliases = ['production'];
    found.nodes.find(({ id }) => id === 'net:v7')!.state = 'deleted';
    const graph = grouped(found, 5, NONE);
    const alone = graph.nodes.filter((one) => one.members.length === 1).map((one) => one.id);
    expect(alone.sort()).toEqual(['data:v0', 'net:v3', 'net:v5', 'net:v7', 'run-3', 'run-5', 'run-7', 'run-eval', 'scores:v0']);
    expect(graph.nodes.filter((one) => one.members.length === 5)).toHaveLength(2);
  });

  test('the version that is looked at is never in a group', () => {
    const found = lineage('net:v2', ...fan(9));
    expect([...roles(found)].filter(([, role]) => role === roles(found).get('net:v2'))).toHaveLength(1);
    expect(grouped(found, 2, NONE).root).toBe('net:v2');
  });

  test('a group that was opened, or is too small, shows its members', () => {
    const found = lineage('data:v0', ...fan(6));
    const group = grouped(found, 5, NONE).nodes.find((one) => one.kind === 'run')!;
    expect(grouped(found, 5, new Map([[group.id, 1]])).nodes.filter((one) => one.kind === 'run')).toHaveLength(6);
    expect(grouped(found, 7, NONE).nodes).toHaveLength(found.nodes.length);
  });
});

describe('a large graph', () => {
  const whole = grouped(lineage('data:v0', 'raw:v0 > run-build > data:v0', ...fan(40), 'net:v30 > run-eval > scores:v0'), 1000, NONE);
  const ids = (graph: { nodes: { id: string }[] }) => graph.nodes.map(({ id }) => id);

  test('shows what is nearest, and says what is left out', () => {
    const few = near(whole, { most: 12, fan: 5 }, NONE);
    expect(few.nodes.length).toBe(12);
    expect(few.hidden.get('data:v0')).toEqual({ upstream: 0, downstream: 35 });
    expect(few.edges.every((edge) => ids(few).includes(edge.source) && ids(few).includes(edge.target))).toBe(true);
    expect(near(whole, { most: 1000, fan: 1000 }, NONE).hidden.size).toBe(0);
  });

  test('shows more of the neighbours of a node each time that it is opened', () => {
    const left = (times: number) => near(whole, { most: 12, fan: 5 }, new Map([['data:v0', times]])).hidden.get('data:v0')?.downstream;
    expect([1, 2, 7].map(left)).toEqual([30, 25, undefined]);
  });

  test('prefers neighbours that lead on', () => {
    const found = lineage('data:v0', ...Array.from({ length: 20 }, (_, at) => `data:v0 > run-${at}`), 'data:v0 > run-z > net:v0');
    expect(ids(near(grouped(found, 1000, NONE), { most: 50, fan: 3 }, NONE))).toContain('net:v0');
  });
});

test('steps count along the way of the data, and kin leaves siblings out', () => {
  const { edges } = lineage('b:v0', 'run-0 > a:v0 > run-1 > b:v0 > run-2', 'a:v0 > run-3 > c:v0');
  expect(Object.fromEntries(steps(edges, 'b:v0'))).toEqual({ 'run-0': -3, 'a:v0': -2, 'run-1': -1, 'b:v0': 0, 'run-2': 1 });
  expect(kin(edges, 'b:v0').has('c:v0')).toBe(false);
});

test('a run that logs what it used is a circle, and everything still ends', async () => {
  const circle = lineage('a:v0', 'run-0 > a:v0 > run-1 > b:v0 > run-2 > a:v0');
  expect([...steps(circle.edges, 'a:v0').keys()]).toHaveLength(5);
  expect((await layOut(grouped(circle, 5, NONE))).lines).toHaveLength(5);
});

describe('layout', () => {
  test('data flows from left to right, and no two nodes overlap', async () => {
    const graph = grouped(lineage('data:v0', 'run-build > data:v0', ...fan(12), 'net:v3 > run-eval > scores:v0', 'data:v0 > run-eval'), 99, NONE);
    const { at, lines, width, height } = await layOut(graph);
    for (const line of lines) expect(at.get(line.target)!.x - at.get(line.source)!.x).toBeGreaterThan(WIDTH);
    const places = [...at.values()];
    places.forEach((a, index) => places.slice(index + 1).forEach((b) => expect(Math.abs(a.x - b.x) >= WIDTH || Math.abs(a.y - b.y) >= HEIGHT).toBe(true)));
    for (const { x, y } of places) expect(x > 0 && y > 0 && x < width && y < height).toBe(true);
  });

  test('a line leaves level and arrives level', () => {
    expect(curve([{ x: 0, y: 0 }, { x: 10, y: 20 }])).toBe('M0 0 C5 0 5 20 10 20');
  });
});

test('a node that is many says what it stands for', () => {
  expect(summary([node('net:v4'), node('net:v10')])).toEqual({ title: 'net', detail: '2 versions, v4 to v10' });
  expect(summary([node('run-a'), node('run-b')])).toEqual({ title: '2 runs', detail: 'run-a, run-b' });
});
