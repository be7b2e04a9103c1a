/** The modules of a watched model as an indented tree, with what was logged of their parameters. */

import type { Metric } from '../api/types';

export interface Graph {
  idx?: number;
  type: string;
  parameters: number;
  trained?: number;
  flops?: number;
  modules: {
    name: string;
    type: string;
    parameters: { name: string; shape: number[]; dtype: string; is_trained: boolean }[];
    inputs?: number[][];
    outputs?: number[][];
    flops?: number;
    calls?: number;
  }[];
}

export interface Row {
  /** Its full name; "" for the model. */
  path: string;
  name: string;
  type: string;
  depth: number;
  isLeaf: boolean;
  /** Numbers that it and all below it hold. */
  count: number;
  isFrozen: boolean;
  shape: string;
  flops: number | null;
  /** Shapes of its own parameters, for a tooltip. */
  details: string;
}

export const shapeOf = (shape: number[]): string => (shape.length ? shape.join('×') : 'scalar');

const size = (shape: number[]) => shape.reduce((product, side) => product * side, 1);
const isBelow = (path: string, parent: string) => parent === '' || path === parent || path.startsWith(`${parent}.`);

export function rowsOf(graph: Graph): Row[] {
  const { modules } = graph;
  return modules.map((module) => {
    const below = modules.filter((other) => isBelow(other.name, module.name));
    const parameters = below.flatMap((other) => other.parameters);
    const outputs = module.outputs ?? [];
    const counted = below.filter((other) => other.flops !== undefined);
    return {
      path: module.name,
      name: module.name.split('.').at(-1) || graph.type,
      type: module.type,
      depth: module.name ? module.name.split('.').length : 0,
      isLeaf: below.length === 1,
      count: parameters.reduce((sum, one) => sum + size(one.shape), 0),
      isFrozen: parameters.length > 0 && parameters.every((one) => !one.is_trained),
      shape: outputs.map(shapeOf).join(', '),
      flops: counted.length ? counted.reduce((sum, other) => sum + other.flops!, 0) : null,
      details: module.parameters.map((one) => `${one.name} ${shapeOf(one.shape)} ${one.dtype.replace('torch.', '')}${one.is_trained ? '' : ', frozen'}`).join('\n'),
    };
  });
}

/** A tree of the names alone, for models that were watched without their graph. */
export function graphOfNames(names: string[]): Graph {
  const paths = new Set(['']);
  for (const name of names) {
    const parts = name.split('.').slice(0, -1);
    parts.forEach((_, at) => paths.add(parts.slice(0, at + 1).join('.')));
  }
  return { type: 'model', parameters: 0, modules: [...paths].map((name) => ({ name, type: '', parameters: [] })) };
}

export const WATCHED = /^(gradients|parameters|gradients_norm|parameters_norm|update_ratio|gradients_nonfinite|parameters_nonfinite)\//;
const TOTAL = 'global';

/** What was logged of one kind for the parameters of a module and all below it, named without the kind and the prefix. */
export function watchedBelow(metrics: Metric[], kind: string, graph: Graph, path: string): { metric: Metric; name: string }[] {
  const start = `${kind}/${graph.idx ? `graph_${graph.idx}` : ''}`;
  return metrics
    .filter((metric) => metric.key.startsWith(start) && (graph.idx || !/^[a-z_]+\/graph_\d/.test(metric.key)))
    .map((metric) => ({ metric, name: metric.key.slice(start.length) }))
    .filter(({ name }) => (name === TOTAL ? path === '' : isBelow(name.split('.').slice(0, -1).join('.'), path) || name === path));
}

/** In the order of the model, the total first; weights, which say more, before biases. */
export function inOrder<T extends { name: string }>(found: T[], graph: Graph): T[] {
  const place = new Map(graph.modules.map((module, at) => [module.name, at]));
  const rank = (name: string) => (name === TOTAL ? -1 : (place.get(name.split('.').slice(0, -1).join('.')) ?? Infinity));
  return [...found].sort((a, b) => rank(a.name) - rank(b.name) || Number(b.name.endsWith('weight')) - Number(a.name.endsWith('weight')));
}
