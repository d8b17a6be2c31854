import { after, before } from "node:test";
import type { RegistryKind, Server } from "./servers.ts";
import { Workplace } from "./workplace.ts";

/** Where a suite plays: a home of its own and one registry, both gone when it ends. */
export interface Scene {
  readonly work: Workplace;
  /** The registry's `127.0.0.1:PORT`. */
  readonly address: string;
  /** The folder that the registry keeps its content in. */
  readonly storage: string;
}

/** Sets a scene up before the tests of the calling suite and clears it away after them. */
export function useScene(kind: RegistryKind): Scene {
  const work = new Workplace();
  const storage = work.path("registry");
  const started: { server?: Server } = {};
  before(async () => {
    started.server = await kind.start(storage);
  });
  after(async () => {
    await started.server?.stop();
    work.remove();
  });
  return {
    work,
    storage,
    get address() {
      if (started.server === undefined) throw new Error("the registry is not started yet");
      return started.server.address;
    },
  };
}
