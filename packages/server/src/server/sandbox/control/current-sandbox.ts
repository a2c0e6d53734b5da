import { AppError } from '../../../domain/app-error.ts';
import { JWKS_PATH, TOKEN_PATH } from '../../../http/paths.ts';
import type { SandboxApiUser, SandboxApiUserSettings } from '../issuing.ts';
import { startSandbox, type Sandbox, type SandboxOptions } from '../sandbox.ts';

/** The sandbox that runs now, with the API user that it starts with. */
export interface CurrentSandbox {
  /** Runs one call at a time, so that none meets a half-done advance or reset. */
  use<T>(work: (sandbox: Sandbox) => T | Promise<T>): Promise<T>;
  createApiUser(settings: SandboxApiUserSettings): Promise<SandboxApiUser>;
  /** Replaces the sandbox by a new one on the same port. */
  reset(): Promise<void>;
  description(): SandboxDescription;
  stop(): Promise<void>;
}

/** What a program needs to know. `mintmark sandbox --json` prints it. */
export interface SandboxDescription {
  base_url: string;
  issuer: string;
  token_url: string;
  jwks_url: string;
  token_life_seconds: number;
  client_id: string;
  client_secret: string;
  scopes: readonly string[];
}

export interface CurrentSandboxOptions extends SandboxOptions {
  /** The scopes of the API user that the sandbox starts with. */
  scopes: readonly string[];
  /** The most API users until a reset. */
  apiUsersMax?: number;
}

export const API_USERS_MAX = 1000;

export async function startCurrentSandbox(options: CurrentSandboxOptions): Promise<CurrentSandbox> {
  const { scopes, apiUsersMax = API_USERS_MAX } = options;
  let started = await start(options);
  const { port } = started.sandbox.config;
  let isGone = false;
  let apiUsers = 1;
  let last: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  function use<T>(work: (sandbox: Sandbox) => T | Promise<T>): Promise<T> {
    return inTurn(() => {
      if (isGone) throw new AppError('unavailable', 'The last reset failed: reset the sandbox.');
      return work(started.sandbox);
    });
  }

  return {
    use,
    createApiUser: (settings) =>
      use(async (sandbox) => {
        if (apiUsers >= apiUsersMax)
          throw new AppError('conflict', `${apiUsersMax} API users exist: reset the sandbox.`);
        const created = await sandbox.createApiUser(settings);
        apiUsers += 1;
        return created;
      }),
    reset: () =>
      inTurn(async () => {
        isGone = true;
        await started.sandbox.stop();
        started = await start({ ...options, port });
        isGone = false;
        apiUsers = 1;
      }),
    description() {
      const { sandbox, apiUser } = started;
      const { baseUrl, config } = sandbox;
      return {
        base_url: baseUrl,
        issuer: config.issuer,
        token_url: baseUrl + TOKEN_PATH,
        jwks_url: baseUrl + JWKS_PATH,
        token_life_seconds: config.tokenLifeSeconds,
        client_id: apiUser.clientId,
        client_secret: apiUser.clientSecret,
        scopes,
      };
    },
    stop: () => inTurn(() => started.sandbox.stop()),
  };
}

async function start(options: CurrentSandboxOptions): Promise<{ sandbox: Sandbox; apiUser: SandboxApiUser }> {
  const sandbox = await startSandbox(options);
  try {
    const apiUser = await sandbox.createApiUser({ name: 'First API user', scopes: options.scopes });
    return { sandbox, apiUser };
  } catch (error) {
    await sandbox.stop();
    throw error;
  }
}
