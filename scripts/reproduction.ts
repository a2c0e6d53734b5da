/** How an entry of docs/robustness.md is reproduced. */
export interface Reproduction {
  /** The commit that mended the fault. The code before it is that of its first parent. */
  mend: string;
  /** The commit whose tests run on both; the mend if it has the test. */
  testsFrom?: string;
  /** The test file, and the name of the test in it, as they were in that commit. */
  file: string;
  test: string;
  /** A line of the file that only its other tests need: an import of something that came with the mend. */
  leavesOut?: string;
  /** A part of the message with which it fails before the mend: another failure proves nothing. */
  failure: string;
}

/** An entry without a command: it is in the track record, and counts as not reproduced. */
export interface NotReproducible {
  notReproducible: string;
}

export type Entry = Reproduction | NotReproducible;
