// Ends the third to ninth worker process at once: two restarts, and the first attempt of another.
import cluster from 'node:cluster';

if (cluster.isWorker && cluster.worker.id > 2 && cluster.worker.id < 10) process.exit(70);
