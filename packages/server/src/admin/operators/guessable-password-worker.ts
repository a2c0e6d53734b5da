// The thread on which a chosen password is compared with what guessers try first; it answers once and ends.
import { parentPort, workerData } from 'node:worker_threads';
import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common';
import type { GuessableQuestion } from './guessable-password.ts';

/** 10^8 guesses: a year and more at what sign-in lets through in a minute, and that for the unluckiest only. */
const SCORE_MIN = 3;
/** Of a long password so many characters are looked at: the cost grows with the square, and a good start is enough. */
const LENGTH_MAX = 40;

const { password, words } = workerData as GuessableQuestion;
const estimator = new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs, maxLength: LENGTH_MAX });
parentPort?.postMessage(estimator.check(password, [...words]).score < SCORE_MIN);
