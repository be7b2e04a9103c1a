import { expect, test } from 'vitest';
import { highlights } from './importance';

const of = (...keys: string[]) => keys.map((key) => ({ key }));
const first = (most: number, ...keys: string[]) => highlights(of(...keys), most).map(({ key }) => key);

test('what a model does on held-out data comes first, clocks never', () => {
  expect(first(4, 'epoch', 'eval/loss', 'eval/runtime', 'eval/samples_per_second', 'train/epoch', 'train/grad_norm', 'train/loss')).toEqual(['eval/loss', 'train/loss', 'train/grad_norm']);
  expect(first(4, 'accuracy', 'batch/accuracy', 'learning_rate', 'loss', 'val_accuracy', 'val_loss')).toEqual(['val_accuracy', 'val_loss', 'accuracy', 'batch/accuracy']);
});

test('among equals each section has its turn', () => {
  const yolo = ['metrics/mAP50(B)', 'metrics/mAP50-95(B)', 'metrics/recall(B)', 'speed/loss_ms', 'train/box_loss', 'val/box_loss', 'val/cls_loss'];
  expect(first(4, ...yolo)).toEqual(['metrics/mAP50-95(B)', 'val/box_loss', 'metrics/mAP50(B)', 'val/cls_loss']);
});

test('a run that has clocks alone shows them', () => {
  expect(first(4, 'epoch')).toEqual(['epoch']);
});
