import type { Meta, Product } from '../core/types.ts';
import { invalid } from '../core/problem.ts';
import type { World } from '../core/world.ts';
import { given, mergeMetadata } from './metadata.ts';

type NewProduct = { name: string; metadata?: Meta | null | undefined; [key: string]: unknown };

/** Makes a product and tells of it. */
export function createProduct(world: World, fields: NewProduct): Product {
  const now = world.clock.now();
  const { metadata: meta, ...rest } = fields;
  if (typeof fields['id'] === 'string' && world.store.find('product', fields['id']))
    throw invalid('Product already exists.', { code: 'resource_already_exists', param: 'id' });
  const product = world.store.add('product', now, {
    ...(given(rest) as Partial<Product>),
    metadata: mergeMetadata({}, meta),
    updated: now,
  });
  world.emit('product.created', product);
  return product;
}
