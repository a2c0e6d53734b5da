import type { FastifyInstance } from 'fastify';

/** The methods of the routes, for the answer to a method that a path does not have (RFC 9110 §15.5.6). */
export interface RouteTable {
  /** Those that this path has, in the order of their names; empty where there is nothing at it. */
  methodsAt(path: string): string[];
}

/** Notes every route that is added to `app` and its plugins from now on. */
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

/** A parameter (`:name`) stands for one segment of the path, `*` for all that follow. */
function patternOf(url: string): RegExp {
  const segments = url.split('/').map((segment) => {
    if (segment.startsWith(':')) return '[^/]+';
    return segment === '*' ? '.*' : segment.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${segments.join('/')}$`);
}
