import { isIP } from "node:net";
import { CountersignError } from "../../core/errors.ts";

/** Where a Redis or Valkey server is, as `--queue` names it. */
export interface QueueAddress {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls: boolean;
  /** Without user and password: what it is called in messages. */
  readonly name: string;
}

const WANTED = "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS";
const PORT = 6379;
const SCHEMES: Readonly<Record<string, boolean>> = { "redis:": false, "rediss:": true };

/** @throws CountersignError `usage`, in words that never hold what could be a password. */
export function parseQueueAddress(text: string): QueueAddress {
  const url = URL.parse(text);
  const tls = url === null ? undefined : SCHEMES[url.protocol];
  if (url === null || tls === undefined) throw invalid("not an address of a queue");
  const host = decode(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  if (isIP(host) === 0 && !/^[0-9A-Za-z]([0-9A-Za-z._-]*[0-9A-Za-z])?$/.test(host)) throw invalid("no host name");
  if (url.search !== "" || url.hash !== "") throw invalid("nothing may follow the database");
  const port = url.port === "" ? PORT : Number(url.port);
  const database = databaseOf(url.pathname);
  const shown = isIP(host) === 6 ? `[${host}]` : host;
  return {
    host,
    port,
    database,
    username: url.username === "" ? undefined : decode(url.username),
    password: url.password === "" ? undefined : decode(url.password),
    tls,
    name: `${url.protocol}//${shown}:${port}/${database}`,
  };
}

function databaseOf(path: string): number {
  if (path === "" || path === "/") return 0;
  if (/^\/[0-9]{1,5}$/.test(path)) return Number(path.slice(1));
  throw invalid("the database is a number");
}

/** RFC 3986 §2.1. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("a percent sign is followed by no two hexadecimal digits");
  }
}

function invalid(message: string): CountersignError {
  return new CountersignError("usage", `--queue: ${message}`, { wanted: WANTED });
}
