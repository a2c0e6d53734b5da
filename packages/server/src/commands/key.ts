import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Option, type Command } from 'commander';
import { AppError } from '../domain/app-error.ts';
import type { AssertionAlgorithm } from '../domain/assertion-algorithm.ts';
import { readPublicKey } from '../domain/public-key.ts';
import { json, shellWord, type Io } from './io.ts';
import { writeSecretFile } from './text-file.ts';

/** The algorithms of a new key. The first is the default. */
const GENERATORS: Readonly<Partial<Record<AssertionAlgorithm, () => KeyObject>>> = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  EdDSA: () => generateKeyPairSync('ed25519').privateKey,
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey,
};

interface GenerateOptions {
  algorithm: AssertionAlgorithm;
  json?: boolean;
}

export function keyCommand(program: Command, io: Io): void {
  const parent = program.command('key').description('Generate the key of an API user that has no secret.');
  parent.addHelpText('after', '\nExample:\n  mintmark key generate importer.pem > importer.pub.pem');
  const command = parent
    .command('generate <file>')
    .description('Write a new private key into a file, and print its public key.')
    .addOption(
      new Option(
        '--algorithm <algorithm>',
        'Algorithm of the signatures. PS256 makes an RSA key, which also signs RS256.',
      )
        .choices(Object.keys(GENERATORS))
        .default('ES256'),
    )
    .option('--json', 'Print JSON.')
    .addHelpText(
      'after',
      '\nContacts no server. Only the owner of the file can read it; an existing file is not overwritten.' +
        '\n\nExample:\n  mintmark key generate importer.pem > importer.pub.pem',
    );
  command.action((file: string, { algorithm, json: asJson }: GenerateOptions) => {
    const privateKey = GENERATORS[algorithm]?.();
    if (privateKey === undefined)
      throw new AppError(
        'invalid',
        `The algorithm ${algorithm} is not supported: use ${Object.keys(GENERATORS).join(', ')}.`,
      );
    writeSecretFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const pem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
    const key = readPublicKey(pem);
    if (Array.isArray(key)) throw new Error('A new key has no fault.');
    if (asJson === true) io.out(json({ file, thumbprint: key.thumbprint, public_key: key.jwk }));
    else io.out(pem.trimEnd());
    io.err(nextSteps(file));
  });
}

function nextSteps(file: string): string {
  const publicFile = shellWord(`${file.replace(/\.pem$/, '')}.pub.pem`);
  return (
    `The private key is in ${file}: it stays on the machine of the API user. Keep the public key in a file, and ` +
    `register it:\n\n  mintmark credential create api_… --public-key ${publicFile}\n\n` +
    `Then request a token:\n\n  mintmark token --client-id api_… --key ${shellWord(file)}\n`
  );
}
