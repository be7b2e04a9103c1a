/** One WebSocket a tab tells which runs moved; hidden tabs close it, and where it fails the page polls instead. */

import type { LiveRun } from './types';

interface Change {
  /** Runs that moved; null when it is not known which. */
  runs: LiveRun[] | null;
  projects: boolean;
}

type Listener = (change: Change) => void;

const POLL_MS = 5000;
const RETRY_MS = 3000;
const listeners = new Set<Listener>();
const everything: Change = { runs: null, projects: true };

export const connection = $state({ status: 'connecting' as 'connecting' | 'live' | 'polling' | 'offline' });

let socket: WebSocket | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

export function onChange(listener: Listener): () => void {
  listeners.add(listener);
  if (!socket) connect();
  return () => listeners.delete(listener);
}

const CALM_MS = 500;

/** Calls back when something moved in a project; a burst of changes is one call, by default at most two a second. */
export function onProjectChange(entity: string, project: string, callback: () => void, calmMs = CALM_MS): () => void {
  const isOurs = (run: LiveRun) => run.entity === entity && run.project === project;
  return onCalmChange(({ runs, projects }) => runs === null || projects || runs.some(isOurs), callback, calmMs);
}

/** Calls back when a run moved, at most twice a second. */
export function onRunChange(ulid: string, callback: () => void): () => void {
  return onCalmChange(({ runs }) => runs === null || runs.some((run) => run.ulid === ulid), callback, CALM_MS);
}

function onCalmChange(concerns: (change: Change) => boolean, callback: () => void, calmMs: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = onChange((change) => {
    if (timer || !concerns(change)) return;
    timer = setTimeout(() => {
      timer = undefined;
      callback();
    }, calmMs);
  });
  return () => {
    clearTimeout(timer);
    stop();
  };
}

const tell = (change: Change) => listeners.forEach((listener) => listener(change));

function connect(): void {
  clearTimeout(timer);
  if (document.hidden) return;
  const address = new URL('api/v1/live', document.baseURI);
  address.protocol = address.protocol.replace('http', 'ws');
  socket = new WebSocket(address);
  const mine = socket;
  let wasOpen = false;
  socket.onopen = () => {
    wasOpen = true;
    connection.status = 'live';
    tell(everything);
  };
  socket.onmessage = (event) => {
    const data = JSON.parse(event.data as string) as { runs?: LiveRun[]; projects?: boolean };
    tell({ runs: data.runs ?? [], projects: data.projects ?? false });
  };
  socket.onclose = () => {
    if (socket !== mine) return;
    socket = null;
    if (document.hidden) return;
    connection.status = wasOpen ? 'offline' : 'polling';
    if (!wasOpen) tell(everything);
    timer = setTimeout(connect, wasOpen ? RETRY_MS : POLL_MS);
  };
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    const closing = socket;
    socket = null;
    closing?.close();
    clearTimeout(timer);
  } else if (!socket && listeners.size) {
    connect();
  }
});
