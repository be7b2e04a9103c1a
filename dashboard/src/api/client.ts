/** Calls of the server's API; addresses are relative, so that any URL prefix works. */

import { decodeCurves, type Curve } from './curves';
import type { LogLine, Metric, Project, RunDetail, RunRow } from './types';

const BASE = 'api/v1/';

export class SignedOut extends Error {}

async function request(path: string, init?: RequestInit): Promise<Response> {
  const reply = await fetch(BASE + path, init);
  if (reply.status === 401) throw new SignedOut('Not signed in. Open the address that `runhaven ui` prints.');
  if (!reply.ok) throw new Error(`${reply.status} ${reply.statusText} for ${path}`);
  return reply;
}

const get = async <T>(path: string): Promise<T> => (await request(path)).json();
const project = (entity: string, name: string) => `projects/${encodeURIComponent(entity)}/${encodeURIComponent(name)}`;

export const listProjects = () => get<Project[]>('projects');
export const listRuns = async (entity: string, name: string) =>
  (await get<{ runs: RunRow[] }>(`${project(entity, name)}/runs`)).runs;
export const listMetrics = (entity: string, name: string) => get<Metric[]>(`${project(entity, name)}/series`);
export const getRun = (ulid: string) => get<RunDetail>(`runs/${ulid}`);
export const getLogs = (ulid: string, after: number, limit: number) =>
  get<{ lines: LogLine[]; total: number }>(`runs/${ulid}/logs?after=${after}&limit=${limit}`);

export interface CurveQuery {
  series: { run: string; stream: string; key: string }[];
  x: string;
  buckets: number;
  start: number | null;
  stop: number | null;
}

export async function getCurves(query: CurveQuery, signal?: AbortSignal): Promise<Curve[]> {
  const headers = { 'Content-Type': 'application/json' };
  const reply = await request('curves', { method: 'POST', headers, body: JSON.stringify(query), signal });
  return decodeCurves(await reply.arrayBuffer());
}
