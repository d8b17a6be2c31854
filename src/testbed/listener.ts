import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";

/**
 * Starts listening; the address as `host:port`.
 *
 * @throws CountersignError `usage` where that cannot be.
 */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  // A push may last for hours; it is idleness that ends a connection.
  server.requestTimeout = 0;
  server.timeout = LIMITS.idleMs;
  server.keepAliveTimeout = LIMITS.idleMs;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(error, host, port)));
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use",
  EACCES: "no permission to listen there",
  EADDRNOTAVAIL: "the address is not one of this machine",
  ENOTFOUND: "the host name is unknown",
};

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): CountersignError {
  const why = LISTEN_ERRORS[error.code ?? ""] ?? error.message;
  return new CountersignError("usage", `cannot listen: ${why}`, {
    found: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    next: "choose another address",
    cause: error,
  });
}

/** Ends every connection, idle or not. */
export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
