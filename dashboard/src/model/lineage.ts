/** Lineage as it is drawn: what plays the same role stands together, and what is far away waits behind a button. */

import type { Lineage, LineageEdge, LineageNode } from '../api/artifacts';

/** One node, or several that play the same role. */
export interface Shown {
  id: string;
  kind: 'run' | 'artifact';
  members: LineageNode[];
}

export interface Graph {
  root: string;
  nodes: Shown[];
  edges: LineageEdge[];
}

/** How many neighbours of a node are not shown. */
export interface Hidden {
  upstream: number;
  downstream: number;
}

type Ends = Map<string, Set<string>>;

/** The neighbours of each node against and along the way of the data. */
function neighbours(edges: LineageEdge[]): { upstream: Ends; downstream: Ends } {
  const upstream: Ends = new Map();
  const downstream: Ends = new Map();
  const add = (ends: Ends, at: string, other: string) => ends.set(at, (ends.get(at) ?? new Set()).add(other));
  for (const edge of edges) {
    add(upstream, edge.target, edge.source);
    add(downstream, edge.source, edge.target);
  }
  return { upstream, downstream };
}

/** What tells nodes apart before their neighbours do: what has a name, a mark or an alias of its own stays visible. */
function look(node: LineageNode): string {
  const own = node.aliases.filter((alias) => alias !== 'latest');
  const of = node.place ? [node.place.entity, node.place.project, node.place.name] : [];
  return JSON.stringify([node.kind, node.type, of, own, node.state === 'deleted', node.changes.length > 0]);
}

/**
 * Says of each node which role it plays: two have the same if they look alike and their neighbours have the same roles.
 * That is the coarsest such partition (bisimulation), found by refining until nothing changes.
 */
export function roles(lineage: Lineage): Map<string, number> {
  const { upstream, downstream } = neighbours(lineage.edges);
  let found = numbered(lineage.nodes, (node) => (node.id === lineage.root ? 'root' : look(node)));
  for (let count = 0; ; ) {
    const seen = (ends: Ends, id: string) => [...new Set([...(ends.get(id) ?? [])].map((other) => found.get(other)!))].sort((a, b) => a - b);
    const next = numbered(lineage.nodes, ({ id }) => JSON.stringify([found.get(id), seen(upstream, id), seen(downstream, id)]));
    const size = new Set(next.values()).size;
    if (size === count) return next;
    [found, count] = [next, size];
  }
}

function numbered(nodes: LineageNode[], key: (node: LineageNode) => string): Map<string, number> {
  const numbers = new Map<string, number>();
  return new Map(nodes.map((node) => {
    const text = key(node);
    if (!numbers.has(text)) numbers.set(text, numbers.size);
    return [node.id, numbers.get(text)!];
  }));
}

/** How often each node was opened. */
export type Opened = ReadonlyMap<string, number>;

/** A graph in which nodes of one role stand as one, where they are at least `least` and were not opened. */
export function grouped(lineage: Lineage, least: number, opened: Opened): Graph {
  const role = roles(lineage);
  const members = new Map<number, LineageNode[]>();
  for (const node of lineage.nodes) members.set(role.get(node.id)!, [...(members.get(role.get(node.id)!) ?? []), node]);
  const nodes: Shown[] = [];
  const standsFor = new Map<string, string>();
  for (const list of members.values()) {
    const group = `group:${list[0]!.id}`;
    const isOne = list.length >= least && !opened.has(group);
    if (isOne) nodes.push({ id: group, kind: list[0]!.kind, members: list });
    for (const node of list) {
      standsFor.set(node.id, isOne ? group : node.id);
      if (!isOne) nodes.push({ id: node.id, kind: node.kind, members: [node] });
    }
  }
  const edges = new Map<string, LineageEdge>();
  for (const edge of lineage.edges) {
    const [source, target] = [standsFor.get(edge.source)!, standsFor.get(edge.target)!];
    const key = `${source}\n${target}\n${edge.kind}`;
    if (!edges.has(key)) edges.set(key, { ...edge, source, target });
  }
  return { root: standsFor.get(lineage.root)!, nodes, edges: [...edges.values()] };
}

/** How much of a graph is shown: nodes in all, and neighbours of a node on each side; each time it is opened so many more. */
export interface Limits {
  most: number;
  fan: number;
}

/** The part of a graph that is nearest to its root, and what is left out of it. Of many neighbours those with the most of their own come first. */
export function near(graph: Graph, { most, fan }: Limits, opened: Opened): Graph & { hidden: Map<string, Hidden> } {
  const { upstream, downstream } = neighbours(graph.edges);
  const degree = (id: string) => (upstream.get(id)?.size ?? 0) + (downstream.get(id)?.size ?? 0);
  const side = (ends: Ends, id: string) => {
    const all = [...(ends.get(id) ?? [])].sort((a, b) => degree(b) - degree(a));
    return all.slice(0, fan * (1 + (opened.get(id) ?? 0)));
  };
  const kept = new Set([graph.root]);
  for (const id of kept) {
    for (const other of [...side(upstream, id), ...side(downstream, id)]) if (kept.size < most || opened.has(id)) kept.add(other);
  }
  const hidden = new Map<string, Hidden>();
  for (const id of kept) {
    const count = (ends: Ends) => [...(ends.get(id) ?? [])].filter((other) => !kept.has(other)).length;
    const left = { upstream: count(upstream), downstream: count(downstream) };
    if (left.upstream + left.downstream) hidden.set(id, left);
  }
  return {
    root: graph.root,
    nodes: graph.nodes.filter((node) => kept.has(node.id)),
    edges: graph.edges.filter((edge) => kept.has(edge.source) && kept.has(edge.target)),
    hidden,
  };
}

/** How many steps each node is away: below 0 upstream, above 0 downstream; what is neither is not in it. */
export function steps(edges: LineageEdge[], root: string): Map<string, number> {
  const found = new Map([[root, 0]]);
  const { upstream, downstream } = neighbours(edges);
  for (const [ends, by] of [[upstream, -1], [downstream, 1]] as const) {
    let border = [root];
    for (let at = by; border.length; at += by) {
      border = [...new Set(border.flatMap((id) => [...(ends.get(id) ?? [])]))].filter((id) => !found.has(id));
      for (const id of border) found.set(id, at);
    }
  }
  return found;
}

/** The nodes that something came from or went into, itself among them. */
export const kin = (edges: LineageEdge[], of: string): Set<string> => new Set(steps(edges, of).keys());

/** What stands on a node that is many. */
export function summary(members: LineageNode[]): { title: string; detail: string } {
  const [first, last] = [members[0]!, members.at(-1)!];
  const count = members.length.toLocaleString();
  if (first.kind === 'run') return { title: `${count} runs`, detail: members.map((node) => node.name).join(', ') };
  const numbers = members.map((node) => Number(node.place!.version.slice(1)));
  return { title: first.place!.name, detail: first === last ? first.place!.version : `${count} versions, v${Math.min(...numbers)} to v${Math.max(...numbers)}` };
}
