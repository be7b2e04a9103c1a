/** Where the page is: the hash, so that any URL prefix works. */

export type Route =
  | { page: 'projects' }
  | { page: 'workspace'; entity: string; project: string }
  | { page: 'run'; ulid: string; tab: string };

export const TABS = ['overview', 'charts', 'logs', 'system'];

function parse(hash: string): Route {
  const [kind, ...rest] = hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  if (kind === 'p' && rest.length >= 2) return { page: 'workspace', entity: rest[0]!, project: rest[1]! };
  if (kind === 'r' && rest[0]) return { page: 'run', ulid: rest[0], tab: TABS.includes(rest[1]!) ? rest[1]! : 'overview' };
  return { page: 'projects' };
}

export const location = $state({ route: parse(window.location.hash) });
window.addEventListener('hashchange', () => (location.route = parse(window.location.hash)));

export const workspaceLink = (entity: string, project: string) =>
  `#/p/${encodeURIComponent(entity)}/${encodeURIComponent(project)}`;
export const runLink = (ulid: string, tab = 'overview') => `#/r/${ulid}/${tab}`;
