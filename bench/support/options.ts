import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export type Options = {
  only: string[];
  json: string | undefined;
  against: string | undefined;
  quick: boolean;
  full: boolean;
  help: boolean;
};

export class UsageError extends Error {}

/** Reads the command line. @throws UsageError for what it does not know. */
export function readOptions(args: string[], names: string[]): Options {
  try {
    const { values } = parseArgs({
      args,
      options: {
        json: { type: 'string' },
        against: { type: 'string' },
        only: { type: 'string', multiple: true },
        quick: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const only = (values.only ?? []).flatMap((list) => list.split(',')).filter(Boolean);
    const unknown = only.find((name) => !names.includes(name));
    if (unknown !== undefined) throw new UsageError(`There is no benchmark "${unknown}".`);
    if (values.quick && values.full) throw new UsageError('--quick and --full exclude each other.');
    return {
      ...values,
      json: values.json,
      against: values.against && resolve(values.against),
      only,
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
