/** The readings of machines as charts: what belongs together in one, GPUs as its lines; docs/system-metrics.md lists them all. */

import type { Metric } from '../api/types';
import { bytes } from './format';

export interface Line {
  run: string;
  stream: string;
  key: string;
  name: string;
}

export interface Chart {
  title: string;
  /** A key whose end says the unit. */
  unit: string;
  lines: Line[];
  /** Whether the readings count up, so that their rate is shown. */
  isRate: boolean;
}

export interface Group {
  name: string;
  charts: Chart[];
  /** What few look at stays closed until somebody asks for it. */
  isMore: boolean;
}

const GPU = /^gpu\/(\d+(?:\/mig\/\d+)?)\/(.+)$/;
const COUNTERS = /^(disk\/(read|written)|network\/(sent|received))_bytes$/;

/** The GPU charts that everybody looks at, in this order. */
const GPU_CHARTS = [
  'memory_used_percent', 'power_watts', 'temperature_celsius', 'sm_clock_mhz', 'throttled_power_percent', 'throttled_thermal_percent',
  'sm_active_percent', 'tensor_active_percent', 'dram_active_percent', 'process_memory_bytes',
];

const HOST_CHARTS: [string, RegExp][] = [
  ['Processors', /^cpu\/utilization_percent$/],
  ['Processor time of the run', /^cpu\/(process|children)_percent$/],
  ['Memory', /^memory\/used_percent$/],
  ['Memory of the run', /^memory\/(process|children)_bytes$/],
  ['Waiting for processor, memory, disk', /^pressure\//],
  ['Shared memory', /^shared_memory\/used_percent$/],
  ['Disk traffic', /^disk\/(read|written)_bytes$/],
  ['Network traffic', /^network\/(sent|received)_bytes$/],
];

const WORDS: Record<string, string> = { sm: 'SM', dram: 'DRAM', ecc: 'ECC', pcie: 'PCIe', nvlink: 'NVLink', crc: 'CRC', fp16: 'FP16', fp32: 'FP32', fp64: 'FP64' };
const UNIT = /_(percent|bytes|bytes_per_second|watts|celsius|mhz|joules|lanes)$/;

/** A key as a person would say it: "sm_clock_mhz" is "SM clock". */
export function title(key: string): string {
  const words = key.replace(UNIT, '').split(/[_/]/).map((word) => WORDS[word] ?? word).join(' ');
  return (words.charAt(0).toUpperCase() + words.slice(1)).replace(/^Throttled /, 'Throttled by ').replace(/thermal$/, 'heat');
}

const hostOf = (stream: string) => stream.replace('node=', '');

function linesOf(metrics: Metric[], name: (metric: Metric) => string): Line[] {
  const streams = new Set(metrics.flatMap((metric) => metric.sources.map(([, stream]) => stream)));
  return metrics.flatMap((metric) =>
    metric.sources.map(([run, stream]) => ({ run, stream, key: metric.key, name: [streams.size > 1 ? hostOf(stream) : '', name(metric)].filter(Boolean).join(' ') })),
  );
}

const gpuName = (metric: Metric) => `gpu ${GPU.exec(metric.key)![1]!.replace(/\//g, ' ')}`;
const byNumber = (a: Metric, b: Metric) => a.key.localeCompare(b.key, undefined, { numeric: true });

/** The part of the key after its last slash, without the unit: "read" of "disk/read_bytes". */
const ending = (metric: Metric) => title(metric.key.split('/').at(-1)!).toLowerCase();

function gpuCharts(metrics: Metric[]): [string, Chart][] {
  const found = new Map<string, Metric[]>();
  for (const metric of [...metrics].sort(byNumber)) {
    const name = GPU.exec(metric.key)![2]!;
    found.set(name, [...(found.get(name) ?? []), metric]);
  }
  return [...found].map(([name, list]) => [name, { title: title(name), unit: name, lines: linesOf(list, gpuName), isRate: false }]);
}

/** How busy the GPUs are: one row each. */
export const utilisation = (metrics: Metric[]): Line[] =>
  linesOf(metrics.filter(({ key }) => /^gpu\/\d+\/utilization_percent$/.test(key)).sort(byNumber), gpuName);

export function machineGroups(metrics: Metric[]): Group[] {
  const gpu = new Map(gpuCharts(metrics.filter(({ key }) => GPU.test(key))));
  const host = metrics.filter(({ key }) => !GPU.test(key));
  const main = HOST_CHARTS.map(([name, pattern]) => ({ name, list: host.filter(({ key }) => pattern.test(key)) })).filter(({ list }) => list.length);
  const taken = new Set(main.flatMap(({ list }) => list));
  const chartOf = (name: string, list: Metric[]): Chart => {
    const isRate = list.every(({ key }) => COUNTERS.test(key));
    const unit = isRate ? 'x_bytes_per_second' : list[0]!.key;
    return { title: name, unit, lines: linesOf(list, (metric) => (list.length > 1 ? ending(metric) : '') || title(metric.key).toLowerCase()), isRate };
  };
  const rest = host.filter((metric) => !taken.has(metric)).sort(byNumber);
  return [
    { name: 'GPUs', charts: GPU_CHARTS.flatMap((name) => gpu.get(name) ?? []), isMore: false },
    { name: 'Host', charts: main.map(({ name, list }) => chartOf(name, list)), isMore: false },
    { name: 'More of the GPUs', charts: [...gpu].filter(([name]) => !GPU_CHARTS.includes(name) && name !== 'utilization_percent').map(([, chart]) => chart), isMore: true },
    { name: 'More of the host', charts: rest.map((metric) => chartOf(title(metric.key), [metric])), isMore: true },
  ].filter(({ charts }) => charts.length);
}

export interface Usage {
  seconds?: number;
  nodes?: number;
  gpu_count?: number;
  gpu_hours?: number;
  gpu_energy_kwh?: number;
  gpu_idle_percent?: number;
  gpu_idle_while_loading_percent?: number;
  gpu_idle_while_busy_percent?: number;
  gpu_throttled_percent?: Record<string, number>;
  gpu_utilization_percent?: { mean: number; max: number };
  gpu_memory_used_percent?: { mean: number; max: number };
  gpu_memory_used_bytes?: { mean: number; max: number };
  cpu_utilization_percent?: { mean: number; max: number };
  memory_used_percent?: { mean: number; max: number };
  process_memory_bytes?: { mean: number; max: number };
  gpus?: { node: string; index: number; name: string; uuid: string }[];
}

export interface Fact {
  label: string;
  value: string;
  note: string;
  /** Worth a look: time or money is lost here. */
  isWarning: boolean;
}

const REASONS: Record<string, string> = {
  power: 'by power', thermal: 'by heat', software_thermal: 'by heat', hardware_thermal: 'by heat', power_brake: 'by a power brake', sync_boost: 'to keep step',
  board_limit: 'by the board', reliability: 'by voltage',
};
const NOTABLE = 1;
const THROTTLED = 5;
const IDLE = 20;

const number = (value: number) => (value >= 1000 ? Math.round(value).toLocaleString() : String(Number(value.toPrecision(3))));
const percent = (value: number) => `${Math.round(value)} %`;

/** What a run used, as few figures as tell it. */
export function factsOf(usage: Usage): Fact[] {
  const found: Fact[] = [];
  const add = (label: string, value: string, note = '', isWarning = false) => found.push({ label, value, note, isWarning });
  if (usage.gpu_count) {
    add('GPU-hours', number(usage.gpu_hours ?? 0), `${usage.gpu_count} GPU${usage.gpu_count > 1 ? 's' : ''}${usage.nodes! > 1 ? ` on ${usage.nodes} machines` : ''}`);
    if (usage.gpu_energy_kwh) add('Energy', `${number(usage.gpu_energy_kwh)} kWh`, usage.gpu_hours ? `${number((1000 * usage.gpu_energy_kwh) / usage.gpu_hours)} W a GPU` : '');
    if (usage.gpu_utilization_percent) add('GPUs busy', percent(usage.gpu_utilization_percent.mean), `at most ${percent(usage.gpu_utilization_percent.max)}`);
    if (usage.gpu_memory_used_bytes) add('GPU memory', `up to ${percent(usage.gpu_memory_used_percent?.max ?? 0)}`, bytes(usage.gpu_memory_used_bytes.max), (usage.gpu_memory_used_percent?.max ?? 0) > 97);
    const idle = usage.gpu_idle_percent ?? 0;
    if (idle >= NOTABLE) {
      const loading = usage.gpu_idle_while_loading_percent ?? 0;
      const busy = usage.gpu_idle_while_busy_percent ?? 0;
      add('GPUs idle', percent(idle), loading >= NOTABLE ? `${percent(loading)} while data was loaded` : busy >= NOTABLE ? `${percent(busy)} while the host computed` : '', idle >= IDLE);
    }
    const worst = Object.entries(usage.gpu_throttled_percent ?? {}).sort(([, a], [, b]) => b - a)[0];
    if (worst && worst[1] >= NOTABLE) add('Throttled', percent(worst[1]), REASONS[worst[0]] ?? `by ${worst[0]}`, worst[1] >= THROTTLED);
  }
  if (usage.cpu_utilization_percent) add('Processors busy', percent(usage.cpu_utilization_percent.mean), `at most ${percent(usage.cpu_utilization_percent.max)}`);
  if (usage.process_memory_bytes) add('Memory of the run', `up to ${bytes(usage.process_memory_bytes.max)}`, usage.memory_used_percent ? `machine at most ${percent(usage.memory_used_percent.max)} full` : '', (usage.memory_used_percent?.max ?? 0) > 95);
  return found;
}
