/** What was logged beside numbers: references to bytes, the steps they were logged at, pages of tables. */

import type { Graph } from '../model/modules';
import { blobAddress, type Place } from './artifacts';
import { get, post, type SeriesRef } from './client';

/** A cell that stands for media; `_type` says of which kind it is. docs/formats.md lists all fields. */
export interface Reference {
  _type: string;
  sha256?: string;
  size?: number;
  format?: string;
  caption?: string;
  /** The version of an artifact that its bytes lie in, be it in chunks; without it, they are a blob of the store. */
  within?: Place;
  [field: string]: any;
}

export interface MediaAt extends SeriesRef {
  steps: number[] | null;
  step: number | null;
  time: number | null;
  value: unknown;
}

export interface MediaQuery {
  series: SeriesRef[];
  /** The step, or what came last before it; null for the newest. */
  step: number | null;
  /** Whether to list all steps. */
  steps: boolean;
}

export const getMedia = async (query: MediaQuery, signal?: AbortSignal): Promise<MediaAt[]> => (await post('media', query, signal)).json();

/** The module trees of the models that a run watched. */
export const getGraphs = (ulid: string): Promise<Graph[]> => get(`runs/${ulid}/graphs`);

export interface TableColumn {
  name: string;
  types: string[];
}

export interface TablePage {
  columns: TableColumn[];
  total: number;
  matching: number;
  /** Each the number of the row, then its cells. */
  rows: unknown[][];
}

export interface TableQuery {
  /** SHA-256 of the parts of a table; two tables are joined. */
  tables: string[][];
  /** The version of an artifact that they lie in. */
  within?: Place;
  join_key: string;
  start: number;
  count: number;
  sort: number | null;
  down: boolean;
  search: string;
}

export const getTable = async (query: TableQuery, signal?: AbortSignal): Promise<TablePage> => (await post('tables', query, signal)).json();

/** Where the bytes of a reference are; they never change, so the browser keeps them. */
export const blobUrl = (reference: Reference): string =>
  reference.within ? blobAddress(reference.within, reference.sha256 ?? '') : `api/v1/blobs/${reference.sha256}?format=${encodeURIComponent(reference.format ?? '')}`;

const path = (reference: Reference) => blobUrl(reference).replace('api/v1/', '');

export const getJson = <T>(reference: Reference): Promise<T> => get<T>(path(reference));
export const getText = async (reference: Reference): Promise<string> => (await fetch(blobUrl(reference))).text();
export const getBytes = async (reference: Reference): Promise<ArrayBuffer> => (await fetch(blobUrl(reference))).arrayBuffer();
