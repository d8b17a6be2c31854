import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { pushImage } from "../test/interop/images.ts";
import { REGISTRIES, type RegistryKind } from "../test/interop/servers.ts";
import { type Sigstack, startSigstack, withoutSigstack } from "../test/interop/sigstack.ts";
import { type Bench, forget, ours, standalone, theirs } from "./bench.ts";
import {
  alternate,
  type Command,
  type Contestants,
  measure,
  medianMs,
  pairedRatio,
  type Results,
  type Run,
} from "./measure.ts";
import { type RemoteProxy, spawnProxy } from "./proxy.ts";
import { atMost, decimal, type Goal, milliseconds, type Row, type Section } from "./results.ts";
import { type CountedServices, countServices } from "./services.ts";

const SIGNER = "alice@example.com";
const DELAY_MS = 20;
/** Verification, ours to cosign's. */
const GOAL = 1;

/** Signing and verifying without a key, with a Sigstore of its own on loopback: requests and time. */
export async function measureKeyless(bench: Bench): Promise<Section> {
  const section = {
    title: "Keyless",
    method:
      "Fulcio, Rekor 2 and a timestamp authority, the released ones, on loopback; both tools have the same signing" +
      " configuration, trust root and source of identity tokens, sign images of their own, and verify the same image, which" +
      " countersign signed. Every run is a process of its own that knows nothing of registry and image; V8's code is there. Proxies count the" +
      ` requests; “${DELAY_MS} ms” passes through one that delays each by so much, “loopback” does not. Signing waits for the` +
      " log, which publishes about once a second, so that its times spread; “but for the log” is without that wait.",
    columns: ["countersign", "cosign"] as const,
  };
  if (withoutSigstack !== false) return { ...section, rows: [], skipped: [withoutSigstack] };
  // V8's code for a command is made by its first run: by one that does what is measured.
  rmSync(bench.work.path("home/.cache"), { recursive: true, force: true });
  const stack = await startSigstack(bench.work);
  try {
    return { ...section, ...(await measureWith(bench, stack)) };
  } finally {
    await stack.stop();
  }
}

async function measureWith(bench: Bench, stack: Sigstack): Promise<Pick<Section, "rows" | "skipped">> {
  const services = await countServices(bench.work, stack.signingConfig);
  try {
    const keyless = new Keyless(bench, stack, services);
    const rows: Row[] = [];
    const skipped: string[] = [];
    for (const kind of REGISTRIES) {
      if (kind.missing !== false) skipped.push(`${kind.name}: ${kind.missing}`);
      else rows.push(...(await measureOn(kind, keyless)));
    }
    return { rows, skipped };
  } finally {
    await services.close();
  }
}

async function measureOn(kind: RegistryKind, keyless: Keyless): Promise<readonly Row[]> {
  const registry = await kind.start(keyless.bench.work.path(`keyless-${kind.hasReferrersApi}`));
  const near = await spawnProxy({ target: registry.address });
  const far = await spawnProxy({ target: registry.address, delayMs: DELAY_MS });
  try {
    const place = { kind, keyless, registry: registry.address, near, far };
    return [...(await countRequests(place)), ...(await timeVerify(place)), ...(await timeSign(place))];
  } finally {
    await far.close();
    await near.close();
    await registry.stop();
  }
}

interface Place {
  readonly kind: RegistryKind;
  readonly keyless: Keyless;
  /** The registry's own address. */
  readonly registry: string;
  /** Proxies before it: one that counts, and one that delays. */
  readonly near: RemoteProxy;
  readonly far: RemoteProxy;
}

// --- commands ---------------------------------------------------------------------------------------------------------

type Start = (bench: Bench, args: readonly string[]) => Command;

/** As npm installs it; and as one executable. */
const FORMS = { executable: standalone, package: ours } as const satisfies Readonly<Record<string, Start>>;
const cosign: Start = (bench, args) => theirs(bench, "cosign", args);

/** What both tools are asked in the same words. */
class Keyless {
  readonly bench: Bench;
  readonly services: CountedServices;
  readonly #stack: Sigstack;

  constructor(bench: Bench, stack: Sigstack, services: CountedServices) {
    this.bench = bench;
    this.#stack = stack;
    this.services = services;
  }

  sign(start: Start, image: string): Command {
    const { trustedRoot, people } = this.#stack;
    const services = ["--signing-config", this.services.signingConfig, "--trusted-root", trustedRoot];
    const token = ["--identity-token", people.emailToken(SIGNER)];
    return start(this.bench, ["sign", ...services, ...token, "-y", image]);
  }

  verify(start: Start, image: string): Command {
    const { trustedRoot, people } = this.#stack;
    const identity = ["--certificate-identity", SIGNER, "--certificate-oidc-issuer", people.url];
    return start(this.bench, ["verify", "--trusted-root", trustedRoot, ...identity, image]);
  }

  /** Runs it without what earlier runs have remembered. */
  run(command: Command): Promise<Run> {
    forget(this.bench);
    return measure(command);
  }
}

// --- requests ---------------------------------------------------------------------------------------------------------

async function countRequests({ kind, keyless, registry, near }: Place): Promise<readonly Row[]> {
  const count = async (command: Command) => {
    await near.reset();
    await keyless.services.reset();
    await keyless.run(command);
    return { registry: (await near.requests()).length, services: await keyless.services.count() };
  };
  const signAndVerify = async (start: Start, name: string) => {
    const image = (await pushImage(registry, `${name}/app:1`)).tagged.replace(registry, near.address);
    return { sign: await count(keyless.sign(start, image)), verify: await count(keyless.verify(start, image)) };
  };
  const our = await signAndVerify(ours, "ours");
  const their = await signAndVerify(cosign, "theirs");
  const floor = kind.hasReferrersApi ? 4 : 5;
  return [
    countRow(`requests to the registry, verify: ${kind.name}`, our.verify.registry, their.verify.registry, floor),
    countRow(`requests to the registry, sign: ${kind.name}`, our.sign.registry, their.sign.registry),
    countRow(`requests to services, sign: ${kind.name}`, our.sign.services, their.sign.services),
  ];
}

function countRow(what: string, our: number, their: number, most?: number): Row {
  const goal = most === undefined ? {} : { goal: atMost(most, our) };
  return { what, ratio: decimal(our / their), ours: `${our}`, peer: `${their}`, ...goal };
}

// --- times ------------------------------------------------------------------------------------------------------------

async function timeVerify({ kind, keyless, registry, far }: Place): Promise<readonly Row[]> {
  const image = (await pushImage(registry, "time/app:1")).tagged;
  await keyless.run(keyless.sign(ours, image));
  const rows: Row[] = [];
  for (const [where, address] of [
    ["loopback", registry],
    [`${DELAY_MS} ms a request`, far.address],
  ] as const) {
    const at = image.replace(registry, address);
    const verify = (start: Start) => () => keyless.run(keyless.verify(start, at));
    const results = await alternate(contestants(verify), keyless.bench.quick ? 3 : 15);
    rows.push(...formRows((form) => `verify, ${form}, ${where}: ${kind.name}`, results, GOAL));
  }
  return rows;
}

/** The second that a log publishes in is the same for whoever starts when another one has ended: chance decides instead. */
const LOG_INTERVAL_MS = 1000;

async function timeSign({ kind, keyless, registry }: Place): Promise<readonly Row[]> {
  let signed = 0;
  const sign = (start: Start) => async () => {
    signed += 1;
    const image = (await pushImage(registry, `sign/app:${signed}`)).tagged;
    await sleep(Math.random() * LOG_INTERVAL_MS);
    await keyless.services.reset();
    const run = await keyless.run(keyless.sign(start, image));
    return { ...run, withoutLog: { ...run, ms: run.ms - (await keyless.services.waitedForLog()) } };
  };
  const results = await alternate(contestants(sign), keyless.bench.quick ? 3 : 11);
  const withoutLog = Object.entries(results).map(([form, runs]) => [form, runs.map((run) => run.withoutLog)]);
  return [
    ...formRows((form) => `sign, ${form}, loopback: ${kind.name}`, results),
    ...formRows((form) => `sign but for the log, ${form}, loopback: ${kind.name}`, Object.fromEntries(withoutLog)),
  ];
}

function contestants<R extends Run>(make: (start: Start) => () => Promise<R>): Contestants<R> {
  const forms = Object.entries(FORMS).map(([form, start]) => [form, make(start)]);
  return { ...Object.fromEntries(forms), cosign: make(cosign) };
}

function formRows(what: (form: string) => string, results: Results, most?: number): readonly Row[] {
  return Object.keys(FORMS).map((form) => {
    const ratio = pairedRatio(results[form], results["cosign"]);
    const goal: { readonly goal?: Goal } = most === undefined ? {} : { goal: atMost(most, ratio, " ×") };
    const [our, their] = [medianMs(results[form]), medianMs(results["cosign"])];
    return { what: what(form), ratio: decimal(ratio), ours: milliseconds(our), peer: milliseconds(their), ...goal };
  });
}
