import { type Backend, type Command, type Reply, ReplyError } from '../reply.ts';
import { startServer } from './process.ts';

/** A real redis-server as the backend; `close` leaves no process. */
export async function serverBackend(path: string, directory: string): Promise<Backend> {
  const server = await startServer(path, directory);
  return {
    kind: 'redis-server',
    run: (commands) => server.connection.send(commands),
    transaction: async (commands) => {
      const replies = await server.connection.send([['MULTI'], ...commands, ['EXEC']]);
      return transactionReply(replies.at(-1) ?? null, commands);
    },
    close: () => server.stop(),
  };
}

function transactionReply(exec: Reply, commands: Command[]): Reply[] | ReplyError {
  if (exec instanceof ReplyError) return exec;
  if (Array.isArray(exec)) return exec;
  return new ReplyError(`ERR EXEC of ${commands.length} commands gave no replies`);
}
