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
  /** Ends with the suite, before the home is removed; what was started last ends first. */
  stopAtEnd(server: Server): Server;
}

/** Sets a scene up before the tests of the calling suite and clears it away after them. */
export function useScene(kind: Pick<RegistryKind, "start">): Scene {
  const work = new Workplace();
  const storage = work.path("registry");
  const servers: Server[] = [];
  before(async () => {
    work.open();
    servers.push(await kind.start(storage));
  });
  after(async () => {
    for (const server of servers.reverse()) await server.stop();
    work.remove();
  });
  return {
    work,
    storage,
    get address() {
      const [registry] = servers;
      if (registry === undefined) throw new Error("the registry is not started yet");
      return registry.address;
    },
    stopAtEnd(server) {
      servers.push(server);
      return server;
    },
  };
}
