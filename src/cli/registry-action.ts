import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CountersignError, toFinding } from "../core/errors.ts";
import { isLoopback } from "../core/oci/reference.ts";
import { type RegistryOptions, startRegistry } from "../testbed/registry.ts";
import type { ListenAddress, Login } from "./commands/registry.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";

export interface ServeOptions {
  readonly listen: ListenAddress;
  readonly root: string | undefined;
  readonly referrersApi: boolean;
  readonly login: Login | undefined;
}

/** Serves until the context's signal is aborted; that is its ordinary end. */
export async function serveRegistry(context: Context, output: Output, options: ServeOptions): Promise<void> {
  const { signal } = context;
  const root = options.root === undefined ? undefined : resolve(context.workingDirectory, options.root);
  const registry = await startRegistry({
    ...options.listen,
    root,
    referrersApi: options.referrersApi,
    authentication: await readLogin(context, options.login),
    keepRequests: false,
    onError: (error) => output.warn(`a request failed: ${toFinding(error).message}`),
  });
  try {
    warnAbout(registry.address, options, output);
    output.note(root === undefined ? "kept in memory: everything is gone when this ends" : `kept in ${root}`);
    output.note(`listening on ${registry.url}`);
    if (signal.aborted) return;
    await new Promise<void>((done) => signal.addEventListener("abort", () => done(), { once: true }));
  } finally {
    await registry.close();
  }
}

async function readLogin(context: Context, login: Login | undefined): Promise<RegistryOptions["authentication"]> {
  if (login === undefined) return undefined;
  const path = resolve(context.workingDirectory, login.passwordFile);
  const password = (await readPasswordFile(path)).split(/\r?\n/, 1)[0] ?? "";
  if (password === "") {
    throw new CountersignError("configuration-invalid", "the password file is empty", { found: path });
  }
  return { kind: "basic", users: { [login.user]: password } };
}

async function readPasswordFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new CountersignError("configuration-invalid", "the password file cannot be read", {
      found: `${path}: ${(error as NodeJS.ErrnoException).code}`,
      cause: error,
    });
  }
}

function warnAbout(address: string, { login }: ServeOptions, output: Output): void {
  if (isLoopback(address)) return;
  output.warn(
    login === undefined
      ? `${address} is open to the network without authentication: whoever reaches it may change and delete everything`
      : `${address} is open to the network in plain HTTP: passwords and images can be read and changed on the way`,
  );
}
