/** Which metrics somebody looks at first. */

const CLOCK = /(^|\/)epoch$|runtime|_per_second$|seconds|_ms$|_s$|^speed\//i;
const OUTCOME = /(^|[/_.\- ])(loss|acc|accuracy|score|f1|auc|auroc|map|ap|precision|recall|iou|dice|bleu|rouge|perplexity|ppl|error|mae|mse|rmse|r2|reward|return|wer|cer|psnr|fid)(\d*)([/_.\-( ]|$)/i;
const HELD_OUT = /(^|[/_.\- ])(val|valid|validation|eval|evaluation|test|dev|metrics)([/_.\- ]|$)/i;
const SIDE = /^(val|valid|validation|eval|evaluation|test|dev|metrics|train|training)([/_.\- ]|$)/i;

/** From 0, how good a model is on data that it was not trained on, to 4, how long that took. */
export function importance(key: string): number {
  if (CLOCK.test(key)) return 4;
  if (OUTCOME.test(key)) return HELD_OUT.test(key) ? 0 : 1;
  return SIDE.test(key) ? 2 : 3;
}

const inOrder = (a: string, b: string) => importance(a) - importance(b) || a.localeCompare(b, undefined, { numeric: true });
export const byImportance = <T extends { key: string }>(a: T, b: T): number => inOrder(a.key, b.key);

const groupOf = (key: string) => key.slice(0, Math.max(0, key.lastIndexOf('/')));

/** The most telling ones; among equals each section has its turn, so that three losses do not hide the accuracy. */
export function highlights<T extends { key: string }>(metrics: T[], most: number): T[] {
  const turns = new Map<string, number>();
  const ranked = [...metrics].sort(byImportance).map((metric) => {
    const group = `${importance(metric.key)} ${groupOf(metric.key)}`;
    turns.set(group, (turns.get(group) ?? -1) + 1);
    return { metric, importance: importance(metric.key), turn: turns.get(group)! };
  });
  const telling = ranked.filter((one) => one.importance < 4);
  return (telling.length ? telling : ranked).sort((a, b) => a.importance - b.importance || a.turn - b.turn).slice(0, most).map(({ metric }) => metric);
}
