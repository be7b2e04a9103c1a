/**
 * The filter of the run table: words that must appear in name, id, tags, state, group, host or notes, and comparisons
 * such as `lr < 1e-3`, `config.depth >= 18`, `val/loss < 0.5`, `state != failed`. All must hold.
 */

import type { RunRow, Scalar } from '../api/types';

type Test = (run: RunRow) => boolean;

const COMPARISON = /(\S+?)\s*(<=|>=|!=|==|=|<|>)\s*("[^"]*"|\S+)/g;

export function parseFilter(text: string): Test {
  const tests: Test[] = [];
  const words = text.replace(COMPARISON, (_, name: string, operator: string, operand: string) => {
    tests.push((run) => compare(readField(run, name), operator, operand.replace(/^"|"$/g, '')));
    return ' ';
  });
  for (const word of words.toLowerCase().split(/\s+/).filter(Boolean)) {
    tests.push((run) => searchable(run).includes(word));
  }
  return (run) => tests.every((test) => test(run));
}

const searchable = (run: RunRow) =>
  [run.name, run.id, run.state, run.group, run.job_type, run.host, run.notes, ...run.tags].join(' ').toLowerCase();

export function readField(run: RunRow, name: string): Scalar | undefined {
  if (name.startsWith('config.')) return run.config[name.slice(7)];
  if (name.startsWith('summary.')) return run.summary[name.slice(8)];
  const own = run[name as keyof RunRow];
  if (typeof own === 'string' || typeof own === 'number') return own;
  return run.summary[name] ?? run.config[name];
}

function compare(value: Scalar | undefined, operator: string, operand: string): boolean {
  if (value === undefined || value === null) return operator === '!=';
  const number = Number(operand);
  const asNumbers = typeof value === 'number' && operand !== '' && !Number.isNaN(number);
  const [a, b] = asNumbers ? [value, number] : [String(value).toLowerCase(), operand.toLowerCase()];
  switch (operator) {
    case '<': return a < b;
    case '<=': return a <= b;
    case '>': return a > b;
    case '>=': return a >= b;
    case '!=': return a !== b;
    default: return a === b;
  }
}
