/** Where the page is: the hash, so that any URL prefix works. */

export type Route =
  | { page: 'projects' }
  | { page: 'workspace'; entity: string; project: string }
  | { page: 'artifacts'; entity: string; project: string }
  | { page: 'artifact'; entity: string; project: string; name: string; version: string; tab: string; rest: string }
  | { page: 'run'; ulid: string; tab: string };

export const TABS = ['overview', 'charts', 'media', 'model', 'logs', 'system', 'artifacts'];
export const ARTIFACT_TABS = ['overview', 'files', 'lineage', 'compare'];

function parse(hash: string): Route {
  const [kind, ...rest] = hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  if (kind === 'p' && rest.length >= 2 && rest[2] === 'artifacts') return artifactRoute(rest);
  if (kind === 'p' && rest.length >= 2) return { page: 'workspace', entity: rest[0]!, project: rest[1]! };
  if (kind === 'r' && rest[0]) return { page: 'run', ulid: rest[0], tab: TABS.includes(rest[1]!) ? rest[1]! : 'overview' };
  return { page: 'projects' };
}

function artifactRoute([entity, project, , name, version, tab, rest]: string[]): Route {
  if (!name) return { page: 'artifacts', entity: entity!, project: project! };
  const known = ARTIFACT_TABS.includes(tab!) ? tab! : 'overview';
  return { page: 'artifact', entity: entity!, project: project!, name, version: version || 'latest', tab: known, rest: rest ?? '' };
}

export const location = $state({ route: parse(window.location.hash) });
window.addEventListener('hashchange', () => (location.route = parse(window.location.hash)));

export const workspaceLink = (entity: string, project: string) =>
  `#/p/${encodeURIComponent(entity)}/${encodeURIComponent(project)}`;
export const runLink = (ulid: string, tab = 'overview') => `#/r/${ulid}/${tab}`;
export const artifactsLink = (entity: string, project: string) => `${workspaceLink(entity, project)}/artifacts`;

/** The page of a version; `rest` says what its tab shows: a file by its number, a version to compare with. */
export const artifactLink = (
  at: { entity: string; project: string; name: string; version?: string },
  tab?: string,
  rest?: string | number,
) =>
  [artifactsLink(at.entity, at.project), ...[at.name, at.version, tab, rest].filter((part) => part !== undefined && part !== '').map((part) => encodeURIComponent(part!))].join('/');
