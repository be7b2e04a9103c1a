/** Places the nodes of a lineage in layers from left to right, and the lines between them. */

import type { LineageEdge } from '../api/artifacts';
import type { Graph } from './lineage';

export const WIDTH = 176;
export const HEIGHT = 70;
const GAP = { nodesep: 28, ranksep: 48, edgesep: 18 };
const MARGIN = 24;

export interface Point {
  x: number;
  y: number;
}

export interface Line extends LineageEdge {
  path: string;
}

export interface Layout {
  width: number;
  height: number;
  /** The middle of each node. */
  at: Map<string, Point>;
  lines: Line[];
}

/** The method is that of Sugiyama, Tagawa and Toda (1981), by dagre, which is loaded when a lineage is first drawn. */
export async function layOut(graph: Graph): Promise<Layout> {
  const { Graph: Layered, layout } = await import('@dagrejs/dagre');
  const layered = new Layered({ multigraph: true });
  layered.setGraph({ rankdir: 'LR', marginx: MARGIN, marginy: MARGIN, ...GAP });
  for (const node of graph.nodes) layered.setNode(node.id, { width: WIDTH, height: HEIGHT });
  for (const edge of graph.edges) layered.setEdge(edge.source, edge.target, {}, edge.kind);
  layout(layered);
  const at = new Map(graph.nodes.map(({ id }) => [id, { x: layered.node(id).x!, y: layered.node(id).y! }]));
  const lines = graph.edges.map((edge) => {
    const points = layered.edge(edge.source, edge.target, edge.kind).points!;
    const [from, to] = [at.get(edge.source)!, at.get(edge.target)!];
    return { ...edge, path: curve([{ x: from.x + WIDTH / 2, y: from.y }, ...passed(points, to.x > from.x), { x: to.x - WIDTH / 2, y: to.y }]) };
  });
  const { width = 0, height = 0 } = layered.graph();
  return { width, height, at, lines };
}

/**
 * Where a line crosses the layers between its ends: level, from one side to the other of the column of nodes. Of the
 * points that dagre gives, each second one lies in such a column, the others in the gaps.
 */
function passed(points: Point[], isForward: boolean): Point[] {
  const side = isForward ? WIDTH / 2 : -WIDTH / 2;
  return points.slice(1, -1).filter((_, index) => index % 2).flatMap(({ x, y }) => [{ x: x - side, y }, { x: x + side, y }]);
}

/** A smooth line through points that leaves and arrives level. */
export function curve(points: Point[]): string {
  const [start, ...rest] = points as [Point, ...Point[]];
  let before = start;
  const parts = rest.map((point) => {
    const isLevel = point.y === before.y;
    const reach = Math.max(Math.abs(point.x - before.x) / 2, point.x < before.x ? HEIGHT : 0);
    const part = isLevel ? `L${round(point.x)} ${round(point.y)}` : `C${round(before.x + reach)} ${round(before.y)} ${round(point.x - reach)} ${round(point.y)} ${round(point.x)} ${round(point.y)}`;
    before = point;
    return part;
  });
  return `M${round(start.x)} ${round(start.y)} ${parts.join(' ')}`;
}

const round = (value: number) => Number(value.toFixed(1));
