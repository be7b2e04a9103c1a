/** What the server says of artifacts; see runhaven_server/artifacts/shapes.py. Times are microseconds since the epoch. */

import { addressOf, get, projectPath } from './client';
import type { Scalar, State } from './types';

export interface RunLink {
  ulid: string;
  name: string;
  entity: string;
  project: string;
  /** "" if the store has no such run any more. */
  state: State | '';
}

export interface CollectionRow {
  name: string;
  type: string;
  is_sequence: boolean;
  description: string;
  tags: string[];
  aliases: { name: string; version: string }[];
  versions: number;
  latest: string;
  size: number;
  file_count: number;
  created: number;
  updated: number;
}

export interface VersionRow {
  version: string;
  aliases: string[];
  tags: string[];
  digest: string;
  size: number;
  file_count: number;
  created: number;
  user: string;
  run: RunLink | null;
  deleted: number | null;
}

export interface CollectionDetail extends CollectionRow {
  all_versions: VersionRow[];
}

/** What names a version: its collection, and a version or an alias. */
export interface Place {
  entity: string;
  project: string;
  name: string;
  version: string;
}

export interface VersionDetail extends VersionRow, Place {
  type: string;
  description: string;
  metadata: Record<string, unknown>;
  ttl_s: number | null;
  history_step: number | null;
  references: number;
  source: Place | null;
  links: Place[];
  used_by: RunLink[];
}

export interface FileRow {
  /** Names it in addresses. */
  number: number;
  path: string;
  size: number | null;
  digest: string;
  /** How many it is kept in; 0 for one blob, whose digest is the SHA-256 of its bytes. */
  chunks: number;
  ref: string | null;
}

export interface FolderRow {
  path: string;
  files: number;
  size: number;
}

export interface FolderList {
  folders: FolderRow[];
  files: FileRow[];
  total: number;
}

export interface Table {
  columns: string[];
  rows: unknown[][];
  /** null where counting would mean reading it all. */
  total: number | null;
}

export interface Difference {
  before: string;
  after: string;
  added: FileRow[];
  removed: FileRow[];
  changed: { path: string; size_before: number | null; size: number | null; number_before: number; number: number }[];
  unchanged: number;
  /** What the store holds for the later one alone. */
  new_bytes: number;
  metadata: Record<string, [Scalar, Scalar]>;
}

export interface RunArtifact extends Place {
  type: string;
  aliases: string[];
  digest: string;
  size: number;
  file_count: number;
  created: number;
}

export interface LineageNode {
  id: string;
  kind: 'run' | 'artifact';
  name: string;
  /** Of an artifact; the job type of a run. */
  type: string;
  state: State | 'committed' | 'deleted';
  created: number | null;
  /** References that are not any more what they were when the version was logged. */
  changes: { path: string; uri: string; reason: string; revision: string | null }[];
  place: Place | null;
  ulid: string;
  aliases: string[];
  size: number | null;
  runtime_s: number | null;
}

export interface LineageEdge {
  source: string;
  target: string;
  kind: 'input' | 'output' | 'link';
  use_as: string | null;
}

export interface Lineage {
  root: string;
  nodes: LineageNode[];
  edges: LineageEdge[];
}

/** "both": what a version was made from and what was made from it; "connected": whatever any way leads to. */
export type Scope = 'both' | 'connected';

const collectionPath = (entity: string, project: string, name: string) =>
  `${projectPath(entity, project)}/artifacts/${encodeURIComponent(name)}`;
const versionPath = (at: Place) => `${collectionPath(at.entity, at.project, at.name)}/${encodeURIComponent(at.version)}`;

export const listArtifacts = (entity: string, project: string) =>
  get<CollectionRow[]>(`${projectPath(entity, project)}/artifacts`);
export const getCollection = (entity: string, project: string, name: string) =>
  get<CollectionDetail>(collectionPath(entity, project, name));
export const getVersion = (at: Place) => get<VersionDetail>(versionPath(at));
export const listFolder = (at: Place, query: { folder?: string; search?: string; offset?: number }) => {
  const text = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)]));
  return get<FolderList>(`${versionPath(at)}/files?${text}`);
};
export const getFile = (at: Place, number: number) => get<FileRow>(`${versionPath(at)}/files/${number}/facts`);
export const getTable = (at: Place, number: number, limit: number) =>
  get<Table>(`${versionPath(at)}/files/${number}/table?limit=${limit}`);
export const getDifference = (at: Place, to: string) =>
  get<Difference>(`${versionPath(at)}/difference?to=${encodeURIComponent(to)}`);
/** With `check`, local files that references lead to are compared with what they were, which may take a while. */
export const getLineage = (at: Place, scope: Scope, check: boolean) =>
  get<Lineage>(`${versionPath(at)}/lineage?direction=${scope}&check=${check ? 'local' : 'none'}`);
export const getRunArtifacts = (ulid: string) =>
  get<{ inputs: RunArtifact[]; outputs: RunArtifact[] }>(`runs/${ulid}/artifacts`);

export const fileAddress = (at: Place, number: number, download = false) =>
  addressOf(`${versionPath(at)}/files/${number}${download ? '?download=true' : ''}`);
/** Where a version's file with a hash is. */
export const blobAddress = (at: Place, sha256: string) => addressOf(`${versionPath(at)}/blobs/${sha256}`);
export const zipAddress = (at: Place) => addressOf(`${versionPath(at)}/zip`);
