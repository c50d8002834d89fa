import type { RouterRoute } from 'hono/types';

/** The methods that a path has handlers for, from the app's own routes: what a 405 must name. */
export function allowedMethods(routes: readonly RouterRoute[]): (path: string) => string[] {
  const patterns = routes
    .filter((route) => route.method !== 'ALL')
    .map((route) => ({
      method: route.method,
      pattern: new RegExp(`^${route.path.replace(/:[^/]+/g, '[^/]+')}$`),
    }));
  return (path) => [
    ...new Set(patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)),
  ];
}
