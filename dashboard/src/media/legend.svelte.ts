/** Classes of boxes and masks: their names, colours, and which are shown; one legend serves a whole panel. */

import { colorOf } from '../model/palette';
import { getJson, type Reference } from '../api/media';

interface ClassSet {
  class_set: { id: number; name?: string; color?: string }[];
}

export class Legend {
  /** Names by number of the class. */
  names = $state<Record<number, string>>({});
  colors = $state<Record<number, string>>({});
  hidden = $state<Record<number, boolean>>({});
  /** Groups of boxes and masks by name; false hides one. */
  groups = $state<Record<string, boolean>>({});

  /** Makes known what a picture may show, without forgetting what was chosen. */
  add(groups: string[], ids: Iterable<number>): void {
    for (const group of groups) this.groups[group] ??= true;
    for (const id of ids) this.names[id] ??= `class ${id}`;
  }

  async load(reference: Reference | undefined): Promise<void> {
    if (!reference?.sha256) return;
    for (const { id, name, color } of (await getJson<ClassSet>(reference)).class_set) {
      if (name && (id in this.names || id !== 0)) this.names[id] = name;
      if (color) this.colors[id] = color;
    }
  }

  colorOf(id: number, dark: boolean): string {
    return this.colors[id] ?? colorOf(id, dark);
  }

  shows(group: string, id: number): boolean {
    return this.groups[group] !== false && !this.hidden[id];
  }
}
