/**
 * Drawings of viewers that take their time: each gets an element of its own, and takes the place of the one before it only
 * once it is there. So nothing flickers, and one that comes too late replaces nothing.
 */

const removals = new WeakMap<Element, () => void>();

function takeAway(element: Element): void {
  removals.get(element)?.();
  element.remove();
}

/** Takes away all that is drawn in an element. */
export const clear = (parent: HTMLElement): void => [...parent.children].forEach(takeAway);

/**
 * Draws into an element.
 *
 * @param draw draws into the element that it gets; returns what frees the drawing
 * @returns what makes the drawing come too late
 */
export function show(parent: HTMLElement, draw: (holder: HTMLElement) => Promise<() => void>, fail: (message: string) => void): () => void {
  const holder = document.createElement('div');
  holder.style.cssText = 'position: absolute; inset: 0; visibility: hidden';
  parent.append(holder);
  let isWanted = true;
  draw(holder).then(
    (free) => {
      removals.set(holder, free);
      if (!isWanted) return takeAway(holder);
      [...parent.children].filter((other) => other !== holder && other.getAttribute('data-drawn')).forEach(takeAway);
      holder.setAttribute('data-drawn', 'true');
      holder.style.visibility = '';
    },
    (reason: Error) => {
      holder.remove();
      if (isWanted) fail(reason.message);
    },
  );
  return () => (isWanted = false);
}
