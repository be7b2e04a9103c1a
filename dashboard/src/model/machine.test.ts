import { expect, test } from 'vitest';
import { rateOf } from '../chart/rate';
import { factsOf, machineGroups, title, utilisation } from './machine';

const metric = (key: string, streams = ['node=a']) => ({ key, type: 'number', system: true, axis: null, hidden: false, sources: streams.map((stream) => ['r', stream] as [string, string]) });

test('the readings of all GPUs are the lines of one chart, in their order', () => {
  const metrics = ['gpu/10/power_watts', 'gpu/2/power_watts', 'gpu/0/utilization_percent', 'gpu/0/mig/1/memory_used_percent', 'gpu/0/pcie_replays', 'cpu/utilization_percent', 'process/threads'].map((key) => metric(key));
  const groups = machineGroups(metrics);
  expect(groups.map(({ name, charts }) => [name, charts.map((chart) => chart.title)])).toEqual([
    ['GPUs', ['Memory used', 'Power']], ['Host', ['Processors']], ['More of the GPUs', ['PCIe replays']], ['More of the host', ['Process threads']],
  ]);
  expect(groups[0]!.charts[1]!.lines.map(({ name }) => name)).toEqual(['gpu 2', 'gpu 10']);
  expect(groups[0]!.charts[0]!.lines[0]!.name).toBe('gpu 0 mig 1');
  expect(utilisation(metrics).map(({ key }) => key)).toEqual(['gpu/0/utilization_percent']);
});

test('several machines are told apart', () => {
  const [group] = machineGroups([metric('gpu/0/power_watts', ['node=a', 'node=b'])]);
  expect(group!.charts[0]!.lines.map(({ name }) => name)).toEqual(['a gpu 0', 'b gpu 0']);
});

test('counters are shown as rates', () => {
  const [host] = machineGroups([metric('disk/read_bytes'), metric('disk/written_bytes')]);
  expect(host!.charts.map(({ isRate, lines }) => [isRate, lines.map(({ name }) => name)])).toEqual([[true, ['read', 'written']]]);
  const curve = { x: Float64Array.of(0, 2, 4, 6), last: Float32Array.of(10, 30, 5, 25) } as never;
  expect(Array.from(rateOf(curve).last)).toEqual([NaN, 10, NaN, 10]);
});

test('keys are said as a person would', () => expect(['sm_clock_mhz', 'nvlink_crc_errors', 'memory_used_percent', 'throttled_thermal_percent'].map(title)).toEqual(['SM clock', 'NVLink CRC errors', 'Memory used', 'Throttled by heat']));

test('what a run used is told in few figures, and what costs time stands out', () => {
  const both = (mean: number, max: number) => ({ mean, max });
  const facts = factsOf({
    nodes: 1, gpu_count: 8, gpu_hours: 52.34, gpu_energy_kwh: 31.2, gpu_utilization_percent: both(71, 99), gpu_idle_percent: 29, gpu_idle_while_loading_percent: 21,
    gpu_throttled_percent: { power: 12, thermal: 3 }, cpu_utilization_percent: both(40, 90), process_memory_bytes: both(1, 2 ** 31), memory_used_percent: both(10, 20),
  });
  expect(facts.map(({ label, value, note }) => `${label}: ${value}; ${note}`)).toEqual([
    'GPU-hours: 52.3; 8 GPUs', 'Energy: 31.2 kWh; 596 W a GPU', 'GPUs busy: 71 %; at most 99 %', 'GPUs idle: 29 %; 21 % while data was loaded', 'Throttled: 12 %; by power',
    'Processors busy: 40 %; at most 90 %', 'Memory of the run: up to 2 GB; machine at most 20 % full',
  ]);
  expect(facts.filter(({ isWarning }) => isWarning).map(({ label }) => label)).toEqual(['GPUs idle', 'Throttled']);
  expect(factsOf({})).toEqual([]);
});
