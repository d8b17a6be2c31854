import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { httpServer, reply, type SeenRequest, type TestServer } from "../http-server.ts";
import type { DctMade } from "./publisher.ts";

/** Data of a real Notary; its README says how it was made. */
const REAL = fileURLToPath(new URL("notary/", import.meta.url));
/** A trust folder as Docker keeps it. */
export const REAL_CACHE = join(REAL, "cache");

/** Files as a Notary server has them, by the names that it is asked for without `.json`. */
export type NotaryFiles = ReadonlyMap<string, Uint8Array>;

/** What a real server answered, by name and by hash. */
export function realServerFiles(): NotaryFiles {
  const folder = join(REAL, "server");
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
  return withHashes(names.map((name) => [name.slice(0, -".json".length), readFileSync(join(folder, name))]));
}

/** What a server has after these roots: the newest one by its name, all of them by their versions. */
export function serverFiles(made: DctMade, roots: readonly Uint8Array[] = made.roots): NotaryFiles {
  const newest = roots.at(-1) ?? new Uint8Array();
  const versioned = roots.map((bytes, at) => [`${at + 1}.root`, bytes] as const);
  const { targets, listings } = made;
  const { timestamp, snapshot } = listings;
  return withHashes([...versioned, ["root", newest], ["timestamp", timestamp], ["snapshot", snapshot], ...targets]);
}

function withHashes(files: readonly (readonly [string, Uint8Array])[]): NotaryFiles {
  const hashed = files.map(([name, bytes]) => {
    const hash = createHash("sha256").update(bytes).digest("hex");
    return [`${name}.${hash}`, bytes] as const;
  });
  return new Map([...files, ...hashed]);
}

export interface NotaryBehaviour {
  /** Wants a token from its own `/token`, which gives one to this user. */
  readonly credentials?: string;
  /** Answers a file in another way; false leaves it to the server. */
  readonly instead?: (name: string, response: ServerResponse) => boolean;
}

/** A Notary server (server/server.go) for one repository, on loopback. */
export function notaryServer(
  gun: string,
  files: NotaryFiles,
  { credentials, instead }: NotaryBehaviour = {},
): Promise<TestServer> {
  const prefix = `/v2/${gun}/_trust/tuf/`;
  return httpServer((request, response) => {
    const path = request.target.replace(/\?.*$/, "");
    if (path === "/token") return giveToken(request, response, credentials);
    if (credentials !== undefined && request.headers.authorization !== "Bearer the-token") {
      const challenge = `Bearer realm="http://${request.headers.host}/token",service="notary",scope="repository:${gun}:pull"`;
      return reply(response, 401, {}, { "www-authenticate": challenge });
    }
    const name = path.startsWith(prefix) ? path.slice(prefix.length).replace(/\.json$/, "") : "";
    if (instead?.(name, response) === true) return;
    const bytes = files.get(name);
    if (bytes === undefined) return reply(response, 404, { errors: [{ code: "METADATA_NOT_FOUND" }] });
    response.writeHead(200, { "content-type": "application/json" }).end(bytes);
  });
}

function giveToken(request: SeenRequest, response: ServerResponse, credentials: string | undefined): void {
  const wanted = `Basic ${Buffer.from(credentials ?? "").toString("base64")}`;
  const isKnown = request.headers.authorization === wanted;
  reply(response, isKnown ? 200 : 401, isKnown ? { token: "the-token" } : {});
}
