/** Tells whether an element is on the screen, or so close that it will be. */
export function near(element: HTMLElement, tell: (isNear: boolean) => void) {
  const observer = new IntersectionObserver(([entry]) => tell(entry!.isIntersecting), { rootMargin: '300px' });
  observer.observe(element);
  return { destroy: () => observer.disconnect() };
}
