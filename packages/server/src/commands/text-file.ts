import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { AppError } from '../domain/app-error.ts';

const FILE_BYTES_MAX = 65_536;

/** The text of a small file. Throws an AppError that names the file, and never its content. */
export function readTextFile(path: string): string {
  try {
    const { size } = statSync(path);
    if (size <= FILE_BYTES_MAX) return readFileSync(path, 'utf8');
  } catch (error) {
    throw new AppError('invalid', `The file ${path} cannot be read (${(error as Error).message}).`, {
      cause: error,
    });
  }
  throw new AppError(
    'invalid',
    `The file ${path} has more than ${FILE_BYTES_MAX} bytes: is it the right one?`,
  );
}

/** Writes a file that only its owner can read. Throws an AppError if the file exists. */
export function writeSecretFile(path: string, text: string): void {
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      writeFileSync(file, text);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === 'EEXIST'
      ? new AppError('conflict', `The file ${path} exists, and is not overwritten: give another name.`)
      : new AppError('invalid', `The file ${path} cannot be written (${message}).`, { cause: error });
  }
}
