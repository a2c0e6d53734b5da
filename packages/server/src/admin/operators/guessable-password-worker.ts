// This thread compares a chosen password with those that attackers try first. It answers once and ends.
import { parentPort, workerData } from 'node:worker_threads';
import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common';
import type { GuessableQuestion } from './guessable-password.ts';

/** At least 10^8 guesses: at 20 a minute they take nine and a half years (docs/decisions/041). */
const SCORE_MIN = 3;
/**
 * Checks only the start of a long password: the cost grows with the square of the length, and a strong start
 * is enough.
 */
const LENGTH_MAX = 40;

const { password, words } = workerData as GuessableQuestion;
const estimator = new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs, maxLength: LENGTH_MAX });
parentPort?.postMessage(estimator.check(password, [...words]).score < SCORE_MIN);
