export { seededRandom } from '../../server/src/lib/seeded-random.ts';
