import type { Meta, Product } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { given, mergeMetadata } from './metadata.ts';

type NewProduct = { name: string; metadata?: Meta | null | undefined; [key: string]: unknown };

/** Makes a product and tells of it. */
export function createProduct(world: World, fields: NewProduct): Product {
  const now = world.clock.now();
  const { metadata: meta, ...rest } = fields;
  const product = world.store.add('product', now, {
    ...(given(rest) as Partial<Product>),
    metadata: mergeMetadata({}, meta),
    updated: now,
  });
  world.emit('product.created', product);
  return product;
}
