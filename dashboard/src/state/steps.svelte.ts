/** Which step media are shown at; by default all panels move together. */

export const steps = $state({
  synced: true,
  /** The step of all synced panels; null for the newest. */
  at: null as number | null,
});
