import { parentPort } from 'node:worker_threads';
import { perform, type Task } from './load-tasks.ts';

parentPort?.on('message', (task: Task) => {
  perform(task).then(
    (outcome) => parentPort?.postMessage({ outcome }, [outcome.latenciesMs.buffer as ArrayBuffer]),
    (error: unknown) => parentPort?.postMessage({ error: String(error) }, []),
  );
});
