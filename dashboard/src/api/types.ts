/** What the server's API hands out; see runhaven_server. Times are microseconds since the epoch. */

import type { Usage } from '../model/machine';

export type State = 'running' | 'finished' | 'failed' | 'killed' | 'preempted' | 'crashed' | 'lost';
export type Scalar = number | string | boolean | null;

export interface Project {
  entity: string;
  name: string;
  runs: number;
  running: number;
  updated: number;
}

export interface RunRow {
  ulid: string;
  id: string;
  name: string;
  state: State;
  created: number;
  updated: number;
  runtime_s: number;
  last_step: number | null;
  user: string;
  host: string;
  group: string;
  job_type: string;
  tags: string[];
  notes: string;
  color: number;
  config: Record<string, Scalar>;
  summary: Record<string, Scalar>;
}

export interface RunDetail extends RunRow {
  entity: string;
  project: string;
  metadata: Record<string, any>;
  alerts: { time: number; title: string; text: string; level: string }[];
  exception: { type: string; message: string; traceback: string } | null;
  incomplete: { reason: string; lost_rows: number } | null;
  /** What it used of its machines. */
  usage: Usage;
  /** How many module trees of watched models there are. */
  graphs: number;
  config_tree: Record<string, any>;
  config_history: { time: number; step: number | null; set: Record<string, any> }[];
}

/** A metric of a project: one panel. */
export interface Metric {
  key: string;
  /** "number", "text", or the `_type` of media. */
  type: string;
  system: boolean;
  axis: string | null;
  hidden: boolean;
  /** Run and stream of each series. */
  sources: [string, string][];
}

export interface LogLine {
  n: number;
  time: number;
  stream: 'stdout' | 'stderr';
  text: string;
}

export interface LiveRun {
  ulid: string;
  entity: string;
  project: string;
}
