/** Calls of the server's API; addresses are relative, so that any URL prefix works. */

import { decodeCurves, type Curve } from './curves';
import type { LogLine, Metric, Project, RunDetail, RunRow } from './types';

const BASE = 'api/v1/';

export class SignedOut extends Error {}

const request = (path: string, init?: RequestInit) => ask(BASE + path, init);

async function ask(address: string, init?: RequestInit): Promise<Response> {
  const reply = await fetch(address, init);
  if (reply.status === 401) throw new SignedOut('Not signed in. Open the address that `runhaven ui` prints.');
  if (!reply.ok) throw new Error(await explain(reply));
  return reply;
}

/** What the server says about what went wrong; without a word of its own, the status. */
async function explain(reply: Response): Promise<string> {
  const found: unknown = await reply.json().then((body) => body?.detail, () => null);
  return typeof found === 'string' ? found : `${reply.status} ${reply.statusText} for ${reply.url}`;
}

export const addressOf = (path: string): string => BASE + path;
/** The first bytes of what lies at an address. */
export async function readStart(address: string, count: number): Promise<Uint8Array> {
  const reply = await ask(address, { headers: { Range: `bytes=0-${count - 1}` } });
  return new Uint8Array(await reply.arrayBuffer());
}

export const get = async <T>(path: string): Promise<T> => (await request(path)).json();
export const projectPath = (entity: string, name: string) => `projects/${encodeURIComponent(entity)}/${encodeURIComponent(name)}`;
export const post = (path: string, body: unknown, signal?: AbortSignal): Promise<Response> =>
  request(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal });

export const listProjects = () => get<Project[]>('projects');
export const listRuns = async (entity: string, name: string) =>
  (await get<{ runs: RunRow[] }>(`${projectPath(entity, name)}/runs`)).runs;
export const listMetrics = (entity: string, name: string) => get<Metric[]>(`${projectPath(entity, name)}/series`);
export const getRun = (ulid: string) => get<RunDetail>(`runs/${ulid}`);
export const getLogs = (ulid: string, after: number, limit: number) =>
  get<{ lines: LogLine[]; total: number }>(`runs/${ulid}/logs?after=${after}&limit=${limit}`);

export interface SeriesRef {
  run: string;
  stream: string;
  key: string;
}

export interface CurveQuery {
  series: SeriesRef[];
  x: string;
  buckets: number;
  start: number | null;
  stop: number | null;
}

export const getCurves = async (query: CurveQuery, signal?: AbortSignal): Promise<Curve[]> =>
  decodeCurves(await (await post('curves', query, signal)).arrayBuffer());
