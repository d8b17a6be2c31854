import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type ListenOptions } from "node:net";

const [LOWEST, HIGHEST] = [10_000, 32_000];

/** Below those that Linux gives to connections: until a server has its port, no connection of another test can be on it. */
const PORTS = [LOWEST, Math.min(HIGHEST, Math.max(firstOfConnections(), LOWEST + 1000))] as const;

function firstOfConnections(): number {
  try {
    return Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
  } catch {
    return HIGHEST;
  }
}

/** A port on 127.0.0.1 for a program that cannot choose its own. No other test gets it before this process has ended. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(...PORTS);
    if ((await claims(port)) && (await isFree(port))) return port;
  }
}

/** By a socket with a name and no file, which goes with its process (unix(7), "abstract"). Only Linux has them. */
async function claims(port: number): Promise<boolean> {
  if (process.platform !== "linux") return true;
  return (await listening({ path: `\0countersign-test-port-${port}` })) !== undefined;
}

async function isFree(port: number): Promise<boolean> {
  const server = await listening({ port, host: "127.0.0.1" });
  if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  return server !== undefined;
}

/** undefined where somebody else listens there. It keeps no process alive. */
async function listening(where: ListenOptions) {
  const server = createServer().unref();
  return await new Promise<typeof server | undefined>((resolve) => {
    server.once("error", () => resolve(undefined)).listen(where, () => resolve(server));
  });
}
