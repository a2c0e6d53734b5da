// Ends the primary process of a worker as soon as it has sent the worker its place.
import cluster from 'node:cluster';

if (cluster.isWorker) {
  process.on('message', ({ kind }) => {
    if (kind !== 'start') return;
    console.error(`no-primary: ${process.pid}`);
    process.kill(process.ppid, 'SIGKILL');
  });
}
