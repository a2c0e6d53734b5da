// Ends a worker process of node:cluster before it does anything.
import cluster from 'node:cluster';

if (cluster.isWorker) process.exit(70);
