import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below those that Linux gives to connections: until a server has its port, no connection of another test can be on it. */
const PORTS = [15_000, 32_000] as const;

/** A port on 127.0.0.1 for a program that cannot choose its own. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(...PORTS);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const isListening = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
  });
  if (isListening) await new Promise((resolve) => server.close(resolve));
  return isListening;
}
