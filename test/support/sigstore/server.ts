import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { httpServer, type SeenRequest, type TestServer } from "../http-server.ts";
import type { Answer } from "./answer.ts";
import { FakeAuthority } from "./authority.ts";
import { FakeCertificateLog } from "./certificate-log.ts";
import { answerOrFail, type Fault, Faults } from "./faults.ts";
import { fulcio } from "./fulcio-service.ts";
import { FakeLog } from "./log.ts";
import { FakeIssuer, type TokenOptions } from "./oidc.ts";
import { type OidcParts, oidc } from "./oidc-service.ts";
import { rekor1, rekor2 } from "./rekor-service.ts";
import type { FakeSigstore } from "./sign.ts";
import { type ListedService, type SigningConfigParts, signingConfig } from "./signing-config.ts";
import { FakeTimestampAuthority } from "./timestamp-authority.ts";
import { timestamping } from "./timestamp-service.ts";
import { trustedRoot } from "./trusted-root.ts";

export interface ServerOptions {
  /** The services' clock: the real one by default. */
  readonly now?: () => number;
  /** Of the tokens. */
  readonly algorithm?: "ES256" | "RS256";
  /** More logs and timestamp authorities: a name for each, and whose it is. */
  readonly more?: Readonly<Record<string, Pick<Service, "kind"> & Partial<Service>>>;
}

interface Service {
  readonly kind: "rekor1" | "rekor2" | "tsa";
  readonly operator: string;
}

/** Services are named `fulcio`, `oidc`, `rekor1`, `rekor2`, `tsa`, and as `more` names them. */
export interface RunningSigstore extends FakeSigstore {
  server(service: string): TestServer;
  /** As a signing configuration has it: a timestamp authority's with its path. */
  url(service: string): string;
  /** The provider's user, and what it says to devices: may be changed at any time. */
  readonly oidc: OidcParts;
  token(options?: TokenOptions): string;
  /** From now on a service fails: always, or so many times. */
  fail(service: string, how: Fault, times?: number): void;
  heal(service: string): void;
  /** `signing_config.json` with these services: the usual ones but Rekor 1 by default. */
  signingConfig(services?: readonly string[], more?: SigningConfigParts): Uint8Array;
  /** Writes `trusted_root.json` and `signing_config.json` into a folder; returns their paths. */
  write(folder: string): { readonly trustedRoot: string; readonly signingConfig: string };
  close(): Promise<void>;
}

type Serve = (request: SeenRequest, fault?: string) => Answer;

/** A Sigstore instance that speaks HTTP, each service at a port of its own on 127.0.0.1. */
export async function startFakeSigstore(options: ServerOptions = {}): Promise<RunningSigstore> {
  const witnesses = new Map(Object.entries({ ...USUAL, ...options.more }).map(([name, each]) => [name, owned(each)]));
  const faults = new Faults();
  const serving = new Map<string, Serve>();
  const servers = new Map<string, TestServer>();
  for (const name of ["fulcio", "oidc", ...witnesses.keys()]) {
    const answer = (request: SeenRequest, fault?: string) => named(serving, name)(request, fault);
    servers.set(name, await httpServer((request, to) => answerOrFail(answer, faults.next(name), request, to)));
  }
  const url = (name: string) => {
    const path = witnesses.get(name)?.kind === "tsa" ? "/api/v1/timestamp" : "";
    return `http://${named(servers, name).host}${path}`;
  };
  const instance = makeInstance(witnesses, url, options);
  for (const [name, serve] of instance.serving) serving.set(name, serve);
  const config = (names: readonly string[] = DEFAULT_SERVICES, more: SigningConfigParts = {}) =>
    signingConfig({ ...listServices(names, witnesses, url), ...more });
  return {
    ...instance.sigstore,
    oidc: instance.oidc,
    server: (name) => named(servers, name),
    url,
    token: (asked) => instance.oidc.issuer.token(asked),
    fail: (name, how, times) => {
      named(servers, name);
      faults.set(name, how, times);
    },
    heal: (name) => faults.clear(name),
    signingConfig: config,
    write: (folder) => writeFiles(folder, instance.sigstore.trustedRoot, config()),
    close: async () => {
      await Promise.all([...servers.values()].map((server) => server.close()));
    },
  };
}

const OPERATOR = "example.com";
const USUAL = { rekor1: { kind: "rekor1" }, rekor2: { kind: "rekor2" }, tsa: { kind: "tsa" } } as const;
const DEFAULT_SERVICES = ["fulcio", "oidc", "rekor2", "tsa"];

function owned({ kind, operator = OPERATOR }: Pick<Service, "kind"> & Partial<Service>): Service {
  return { kind, operator };
}

function named<T>(services: ReadonlyMap<string, T>, name: string): T {
  const service = services.get(name);
  if (service === undefined) throw new RangeError(`no service ${name}`);
  return service;
}

function writeFiles(folder: string, root: Uint8Array, config: Uint8Array): ReturnType<RunningSigstore["write"]> {
  const paths = { trustedRoot: join(folder, "trusted_root.json"), signingConfig: join(folder, "signing_config.json") };
  writeFileSync(paths.trustedRoot, root);
  writeFileSync(paths.signingConfig, config);
  return paths;
}

function listServices(
  names: readonly string[],
  witnesses: ReadonlyMap<string, Service>,
  url: (name: string) => string,
): SigningConfigParts {
  const of = (...kinds: readonly string[]): readonly ListedService[] =>
    names
      .filter((name) => kinds.includes(witnesses.get(name)?.kind ?? name))
      .map((name) => {
        const { kind, operator } = witnesses.get(name) ?? { kind: name, operator: OPERATOR };
        return { url: url(name), operator, majorApiVersion: kind === "rekor2" ? 2 : 1 };
      });
  return {
    authorities: of("fulcio"),
    issuers: of("oidc"),
    logs: of("rekor1", "rekor2"),
    timestampAuthorities: of("tsa"),
  };
}

// --- what stands behind the servers -----------------------------------------------------------------------------------

interface Instance {
  readonly sigstore: FakeSigstore;
  readonly oidc: OidcParts;
  readonly serving: readonly (readonly [string, Serve])[];
}

function makeInstance(
  witnesses: ReadonlyMap<string, Service>,
  url: (name: string) => string,
  { now = Date.now, algorithm = "ES256" }: ServerOptions,
): Instance {
  const certificateLog = new FakeCertificateLog();
  const authority = new FakeAuthority({ uri: url("fulcio"), certificateLogs: [certificateLog] });
  const logs = ofKind(witnesses, ["rekor1", "rekor2"], (name, { kind, operator }) => {
    const generation = kind === "rekor1" ? 1 : 2;
    return new FakeLog({ generation, name: "127.0.0.1", baseUrl: url(name), operator });
  });
  const timestampAuthorities = ofKind(
    witnesses,
    ["tsa"],
    (name, { operator }) => new FakeTimestampAuthority({ uri: url(name), name: `${name}.example.com`, operator }),
  );
  const issuer = new FakeIssuer({ url: url("oidc"), algorithm, now });
  const provider: OidcParts = { issuer, identity: {}, deviceErrors: [], deviceInterval: 1, grants: new Map() };
  const served = { authority, certificateLog, now };
  return {
    sigstore: {
      authority,
      certificateLog,
      log: named(logs, "rekor1"),
      log2: named(logs, "rekor2"),
      timestampAuthority: named(timestampAuthorities, "tsa"),
      trustedRoot: trustedRoot({
        authorities: [authority],
        certificateLogs: [certificateLog],
        logs: [...logs.values()],
        timestampAuthorities: [...timestampAuthorities.values()],
      }),
    },
    oidc: provider,
    serving: [
      ["fulcio", (request, fault) => fulcio(served, request, fault)],
      ["oidc", (request, fault) => oidc(provider, request, fault)],
      ...[...logs].map(([name, log]) => [name, serveLog(log, now)] as const),
      ...[...timestampAuthorities].map(([name, each]) => [name, serveTimestamps(each, now)] as const),
    ],
  };
}

function ofKind<T>(
  witnesses: ReadonlyMap<string, Service>,
  kinds: readonly string[],
  make: (name: string, service: Service) => T,
): ReadonlyMap<string, T> {
  const some = [...witnesses].filter(([, { kind }]) => kinds.includes(kind));
  return new Map(some.map(([name, service]) => [name, make(name, service)]));
}

function serveLog(log: FakeLog, now: () => number): Serve {
  const parts = { log, now, entries: new Map() };
  return (request, fault) => (log.generation === 1 ? rekor1(parts, request, fault) : rekor2(parts, request, fault));
}

function serveTimestamps(timestampAuthority: FakeTimestampAuthority, now: () => number): Serve {
  return (request, fault) => timestamping({ timestampAuthority, now }, request, fault);
}
