/**
 * Stands in for `zod/v4/core` in the bundle (wrangler.toml, [alias]): the OpenAPI generator loads that
 * module by a dynamic import, which would keep all of zod with its forty languages, 110 KB compressed.
 */
export { toJSONSchema } from 'zod';
