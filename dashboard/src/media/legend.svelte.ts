/** Classes of boxes and masks: their names, colours, and which are shown; one legend serves a whole panel. */

import { colorOf } from '../model/palette';
import { getJson, type Reference } from '../api/media';

interface ClassSet {
  class_set: { id: number; name?: string; color?: string }[];
}

export type Names = Record<number, { name?: string; color?: string }>;

export const loadNames = async (reference: Reference | undefined): Promise<Names> =>
  reference?.sha256 ? Object.fromEntries((await getJson<ClassSet>(reference)).class_set.map(({ id, ...said }) => [id, said])) : {};

/** Numbers may mean other things in each group; what has the same name is one class, with one colour. */
export class Legend {
  /** Groups of boxes and masks by name; false hides one. */
  groups = $state<Record<string, boolean>>({});
  classes = $state<Record<string, { id: number; color?: string }>>({});
  hidden = $state<Record<string, boolean>>({});
  private names = $state<Record<string, Record<number, string>>>({});

  /** Makes known which classes a picture shows, without forgetting what was chosen. */
  add(group: string, ids: Iterable<number>, names: Names): void {
    this.groups[group] ??= true;
    this.names[group] ??= {};
    for (const id of ids) {
      const name = names[id]?.name ?? `class ${id}`;
      this.names[group][id] = name;
      this.classes[name] ??= { id, color: names[id]?.color };
    }
  }

  nameOf(group: string, id: number): string {
    return this.names[group]?.[id] ?? `class ${id}`;
  }

  colorOf(name: string, dark: boolean): string {
    const found = this.classes[name];
    return found?.color ?? colorOf(found?.id ?? 0, dark);
  }

  shows(group: string, id: number): boolean {
    return this.groups[group] !== false && !this.hidden[this.nameOf(group, id)];
  }
}
