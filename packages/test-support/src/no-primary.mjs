// Ends the primary process of a worker of node:cluster as soon as it has told the worker what it is.
import cluster from 'node:cluster';

if (cluster.isWorker) {
  process.on('message', ({ kind }) => {
    if (kind !== 'start') return;
    console.error(`no-primary: ${process.pid}`);
    process.kill(process.ppid, 'SIGKILL');
  });
}
