// Ends each worker process at once.
import cluster from 'node:cluster';

if (cluster.isWorker) process.exit(70);
