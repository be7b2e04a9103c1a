import { expect, test } from 'vitest';
import { graphOfNames, inOrder, rowsOf, watchedBelow, type Graph } from './modules';

const parameter = (name: string, shape: number[], is_trained = true) => ({ name, shape, dtype: 'torch.float32', is_trained });
const graph: Graph = {
  type: 'Net', parameters: 18,
  modules: [
    { name: '', type: 'Net', parameters: [] },
    { name: 'body', type: 'Sequential', parameters: [] },
    { name: 'body.0', type: 'Linear', parameters: [parameter('weight', [3, 2]), parameter('bias', [3])], outputs: [[8, 3]], flops: 96 },
    { name: 'body.1', type: 'Linear', parameters: [parameter('weight', [3, 3], false)], flops: 4 },
  ],
};
const metric = (key: string) => ({ key, type: 'log-histogram', system: false, axis: null, hidden: false, sources: [] });

test('modules add up what lies below them', () => {
  const rows = rowsOf(graph);
  expect(rows.map((row) => [row.name, row.depth, row.count, row.flops])).toEqual([['Net', 0, 18, 100], ['body', 1, 18, 100], ['0', 2, 9, 96], ['1', 2, 9, 4]]);
  expect([rows[2]!.shape, rows[3]!.isFrozen, rows[0]!.isFrozen, rows[0]!.isLeaf]).toEqual(['8×3', true, false, false]);
  expect(rows[2]!.details).toContain('weight 3×2 float32');
});

test('what was watched is found below a module, in the order of the model', () => {
  const metrics = ['gradients/body.1.weight', 'gradients/body.0.weight', 'gradients/graph_1body.0.weight', 'gradients/global', 'gradients_norm/body.0.bias'].map(metric);
  const names = (path: string) => inOrder(watchedBelow(metrics, 'gradients', graph, path), graph).map(({ name }) => name);
  expect(names('')).toEqual(['global', 'body.0.weight', 'body.1.weight']);
  expect([names('body.1'), names('bod')]).toEqual([['body.1.weight'], []]);
  expect(watchedBelow(metrics, 'gradients', { ...graph, idx: 1 }, '').map(({ name }) => name)).toEqual(['body.0.weight']);
});

test('names alone make a tree', () => expect(rowsOf(graphOfNames(['a.b.weight', 'a.c.bias'])).map((row) => row.path)).toEqual(['', 'a', 'a.b', 'a.c']));
