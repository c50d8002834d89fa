import { invalid } from '../core/problem.ts';
import { bool, hash, list, metadata, moments, need, str, strOrUnset } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import { given, mergeMetadata } from './metadata.ts';
import { createProduct } from './create-product.ts';
import { createPrice, defaultPriceRules } from './prices.ts';

const rules = {
  active: bool,
  description: strOrUnset,
  metadata,
  statement_descriptor: str,
  tax_code: strOrUnset,
  unit_label: strOrUnset,
  url: strOrUnset,
};

const create = route(
  'POST',
  '/v1/products',
  { ...rules, name: need(str), id: str, default_price_data: hash(defaultPriceRules) },
  ({ world, params }) => {
    const { default_price_data: data, ...fields } = params;
    const product = createProduct(world, fields);
    if (data) product.default_price = createPrice(world, { ...data, product: product.id }).id;
    return product;
  },
);

const update = route(
  'POST',
  '/v1/products/:product',
  { ...rules, name: str, default_price: strOrUnset },
  ({ world, id, params }) => {
    const product = world.store.need('product', id);
    const { default_price: price } = params;
    if (price != null && world.store.need('price', price, 'default_price').product !== id)
      throw invalid(`The price ${price} belongs to another product.`, 'default_price');
    const { metadata: meta, ...fields } = params;
    return world.change('product.updated', product, (one) => {
      Object.assign(one, given(fields));
      one.metadata = mergeMetadata(one.metadata, meta);
      one.updated = world.clock.now();
    });
  },
);

/** Products. Source: https://docs.stripe.com/api/products */
export const productRoutes: Route[] = [
  create,
  update,
  ...reads(
    'product',
    '/v1/products',
    { active: bool, created: moments, ids: list(str), url: str },
    { ids: (one, ids) => ids.includes(one.id) },
  ),
  route('DELETE', '/v1/products/:product', {}, ({ world, id }) => {
    const product = world.store.need('product', id);
    if (world.store.all('price').some((price) => price.product === id))
      throw invalid(
        'This product cannot be deleted because it has one or more user-created prices.',
      );
    world.store.remove('product', id);
    world.emit('product.deleted', product);
    return { id, object: 'product', deleted: true };
  }),
];
