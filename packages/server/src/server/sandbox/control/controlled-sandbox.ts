import { startControlServer } from './control-server.ts';
import { startCurrentSandbox, type CurrentSandboxOptions } from './current-sandbox.ts';
import type { ControlledSandbox } from './sandbox.routes.ts';

export interface ControlledSandboxOptions extends CurrentSandboxOptions {
  /** 0: any free one. */
  controlPort: number;
}

/** A sandbox with its control API. */
export interface RunningSandbox {
  description(): ControlledSandbox;
  stop(): Promise<void>;
}

/** Leaves nothing open if it throws. */
export async function startControlledSandbox(options: ControlledSandboxOptions): Promise<RunningSandbox> {
  const sandbox = await startCurrentSandbox(options);
  try {
    const control = await startControlServer(sandbox, options.controlPort);
    return {
      description: () => ({ ...sandbox.description(), control_url: control.url }),
      async stop() {
        await control.stop();
        await sandbox.stop();
      },
    };
  } catch (error) {
    await sandbox.stop();
    throw error;
  }
}
