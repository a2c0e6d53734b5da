import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AppError } from '../domain/app-error.ts';
import type { Redacted } from '../lib/redacted.ts';

/**
 * The key that encrypts private signing keys and second-factor secrets in the store (AES-256-GCM). It is
 * never in the store itself.
 */
export interface MasterKey {
  /** Binds the text to `context`: what was sealed for one `kid` cannot be unsealed for another. */
  seal(plain: Buffer, context: string): string;
  /** Throws if the text was sealed under another key or for another context, or was changed. */
  unseal(sealed: string, context: string): Buffer;
  /**
   * Distinguishes the right key from a wrong one before anything is unsealed; reveals nothing about the key.
   */
  check: string;
  /** A MAC of this text about a signing key: it proves that this program wrote the row. */
  signingKeyProof(text: string): string;
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The configured master key: its value or its file. */
export interface MasterKeySource {
  masterKey: Redacted | null;
  masterKeyFile: string;
}

/**
 * Returns the configured master key, or null if its file does not exist yet. Throws an AppError if the file
 * is unusable.
 */
export function readMasterKey({ masterKey, masterKeyFile }: MasterKeySource): MasterKey | null {
  if (masterKey !== null) return keyOf(Buffer.from(masterKey.reveal(), 'hex'));
  if (!existsSync(masterKeyFile)) return null;
  const text = readText(masterKeyFile).trim();
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new AppError(
      'invalid',
      `The master key file ${masterKeyFile} does not hold 64 hexadecimal digits: put the right file back.`,
    );
  }
  return keyOf(Buffer.from(text, 'hex'));
}

/**
 * Creates the master key file, readable by its owner only. It never overwrites a file, and removes one that
 * it could not complete.
 */
export function createMasterKey({ masterKeyFile }: MasterKeySource): MasterKey {
  const bytes = randomBytes(KEY_BYTES);
  const file = attempt('made', masterKeyFile, () => openSync(masterKeyFile, 'wx', 0o600));
  try {
    attempt('written', masterKeyFile, () => {
      writeSync(file, `${bytes.toString('hex')}\n`);
      fsyncSync(file);
    });
  } catch (error) {
    rmSync(masterKeyFile, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  return keyOf(bytes);
}

/**
 * Throws an AppError if the configured key cannot be read, or its file is missing and cannot be created.
 * Changes nothing.
 */
export function checkMasterKeySource(source: MasterKeySource & { dataDir: string }): void {
  if (readMasterKey(source) !== null) return;
  const folder = dirname(source.masterKeyFile);
  if (resolve(folder) === resolve(source.dataDir) || existsSync(folder)) return;
  throw new AppError(
    'not_found',
    `The folder ${folder} of the master key file does not exist: create it, or name another file.`,
  );
}

function readText(file: string): string {
  return attempt('read', file, () => readFileSync(file, 'utf8'));
}

function attempt<T>(what: string, file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AppError(
      'invalid',
      `The master key file ${file} cannot be ${what} (${code}): check its owner and mode, its folder and the disk.`,
    );
  }
}

/**
 * RFC 5869: derives a key for one purpose. It reveals nothing about the master key or the keys of other
 * purposes.
 */
function derivedKey(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', purpose, KEY_BYTES));
}

function keyOf(key: Buffer): MasterKey {
  const proofKey = derivedKey(key, 'mintmark signing key proof 1');
  return {
    seal(plain, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
      const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
      return sealed.toString('base64url');
    },
    unseal(sealed, context) {
      const bytes = Buffer.from(sealed, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    },
    signingKeyProof: (text) => createHmac('sha256', proofKey).update(text).digest('base64url'),
    check: createHmac('sha256', key).update('mintmark master key check').digest('base64url'),
  };
}
