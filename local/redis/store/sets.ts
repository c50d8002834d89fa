import { arg, type Definitions } from './command.ts';
import type { Keyspace } from './keyspace.ts';

const read = (keys: Keyspace, args: string[]) => keys.read(arg(args, 0), 'set')?.members;

/** https://redis.io/docs/latest/commands/?group=set */
export const setCommands: Definitions = {
  SADD: {
    arity: -3,
    run: (keys, args) => {
      const { members } = keys.open(arg(args, 0), 'set');
      const before = members.size;
      for (const member of args.slice(1)) members.add(member);
      return members.size - before;
    },
  },
  SREM: {
    arity: -3,
    run: (keys, args) => {
      const members = read(keys, args);
      const gone = args.slice(1).filter((member) => members?.delete(member)).length;
      keys.dropIfEmpty(arg(args, 0));
      return gone;
    },
  },
  SMEMBERS: { arity: 2, run: (keys, args) => [...(read(keys, args) ?? [])] },
  SISMEMBER: { arity: 3, run: (keys, args) => (read(keys, args)?.has(arg(args, 1)) ? 1 : 0) },
  SMISMEMBER: {
    arity: -3,
    run: (keys, args) => {
      const members = read(keys, args);
      return args.slice(1).map((member) => (members?.has(member) ? 1 : 0));
    },
  },
  SCARD: { arity: 2, run: (keys, args) => read(keys, args)?.size ?? 0 },
};
