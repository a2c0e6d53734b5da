import type { FastifyInstance } from 'fastify';

/** The methods of all routes, for the `Allow` header of a 405 answer (RFC 9110 §15.5.6). */
export interface RouteTable {
  /** The methods of this path, sorted by name; empty if it matches no route. */
  methodsAt(path: string): string[];
}

/** Records every route that `app` or its plugins add from now on. */
export function routeTable(app: FastifyInstance): RouteTable {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set() };
    for (const name of [method].flat()) route.methods.add(name);
    routes.set(url, route);
  });
  return {
    methodsAt: (path) => {
      const methods = new Set<string>();
      for (const route of routes.values()) {
        if (route.pattern.test(path)) for (const method of route.methods) methods.add(method);
      }
      return Array.from(methods).sort();
    },
  };
}

/** A parameter (`:name`) matches one segment of the path, `*` matches all that follow. */
function patternOf(url: string): RegExp {
  const segments = url.split('/').map((segment) => {
    if (segment.startsWith(':')) return '[^/]+';
    return segment === '*' ? '.*' : segment.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${segments.join('/')}$`);
}
