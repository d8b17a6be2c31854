import type { ChildProcess } from "node:child_process";
import type { KeyObject } from "node:crypto";
import { before } from "node:test";
import { freePort } from "../support/free-port.ts";
import { certificatePem, FakeAuthority } from "../support/sigstore/authority.ts";
import { FakeCertificateLog } from "../support/sigstore/certificate-log.ts";
import { fakeKey } from "../support/sigstore/keys.ts";
import { FakeLog } from "../support/sigstore/log.ts";
import { signingConfig } from "../support/sigstore/signing-config.ts";
import { FakeTimestampAuthority } from "../support/sigstore/timestamp-authority.ts";
import { trustedRoot } from "../support/sigstore/trusted-root.ts";
import { startPeer, without } from "./peers.ts";
import type { Scene } from "./scene.ts";
import { killChild, type Server, whenReady } from "./servers.ts";
import { StackIssuer, startCertificateLog } from "./sigstack/issuers.ts";
import type { Workplace } from "./workplace.ts";

/** Released Fulcio, Rekor 2 and timestamp authority on loopback, with an identity provider and a certificate log of ours. */
export interface Sigstack {
  /** Paths, for both programs. */
  readonly trustedRoot: string;
  readonly signingConfig: string;
  /** The same without a log. */
  readonly withoutLog: string;
  /** Addresses, the last with its path. */
  readonly fulcio: string;
  readonly timestamps: string;
  readonly people: StackIssuer;
  readonly workflows: StackIssuer;
}

/** The reason to skip; `.ci/sigstack.sh` builds what is missing. */
export const withoutSigstack = without("sigstack-services", "sigstack-rekor", "cosign");

/** Starts a stack before the tests of the calling suite, to end with the scene; its keys are as new as it is. */
export function useSigstack(scene: Scene): () => Sigstack {
  let stack: Sigstack | undefined;
  before(async () => {
    const { stop, ...started } = await startSigstack(scene.work);
    scene.stopAtEnd({ address: started.fulcio, stop });
    stack = started;
  });
  return () => {
    if (stack === undefined) throw new Error("the stack runs while tests do");
    return stack;
  };
}

const HOST = "127.0.0.1";

/** The same for a caller that ends it by itself. */
export async function startSigstack(work: Workplace): Promise<Sigstack & { stop(): Promise<void> }> {
  const certificateLog = new FakeCertificateLog({ baseUrl: "http://ct.example.com" });
  const [people, workflows, ct] = [
    await StackIssuer.start(),
    await StackIssuer.start(),
    await startCertificateLog(certificateLog),
  ];
  const stops: (() => Promise<void>)[] = [() => people.close(), () => workflows.close(), () => ct.close()];
  const stop = async (): Promise<void> => {
    for (const each of stops.toReversed()) await each();
  };
  try {
    const fulcio = await startFulcio(work, certificateLog, { people, workflows, ct: `http://${ct.host}` });
    stops.push(() => fulcio.server.stop());
    const rekor = await startRekor(work);
    stops.push(() => rekor.server.stop());
    const tsa = await startTimestampAuthority(work);
    stops.push(() => tsa.server.stop());
    const files = writeFiles(work, { fulcio, rekor, tsa, certificateLog, people });
    return { ...files, people, workflows, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Running<Who> {
  readonly who: Who;
  readonly url: string;
  readonly server: Server;
}

async function startFulcio(
  work: Workplace,
  certificateLog: FakeCertificateLog,
  around: { readonly people: StackIssuer; readonly workflows: StackIssuer; readonly ct: string },
): Promise<Running<FakeAuthority>> {
  const port = await freePort();
  const url = `http://${HOST}:${port}`;
  const who = new FakeAuthority({ uri: url, name: "fulcio.example.com" });
  const files = [
    work.write("sigstack/fulcio.yaml", fulcioConfig(around.people.url, around.workflows.url)),
    work.write("sigstack/fulcio.pem", who.chain.map(certificatePem).join("")),
    work.write("sigstack/fulcio.key", privatePem(who.key.privateKey)),
    around.ct,
    work.write("sigstack/ct.pub", certificateLog.key.publicKey.export({ type: "spki", format: "pem" })),
  ];
  const child = start("sigstack-services", ["fulcio", String(port), ...files]);
  return { who, url, server: await whenReady(child, url, () => answers(`${url}/healthz`)) };
}

async function startRekor(work: Workplace): Promise<Running<FakeLog>> {
  const [port, grpc, metrics] = [await freePort(), await freePort(), await freePort()];
  const url = `http://${HOST}:${port}`;
  const who = new FakeLog({ generation: 2, name: HOST, baseUrl: url, key: fakeKey("ed25519") });
  const key = work.write("sigstack/rekor.key", privatePem(who.key.privateKey));
  const child = start("sigstack-rekor", [
    ...["serve", "--http-address", HOST, "--http-port", String(port)],
    ...["--grpc-address", HOST, "--grpc-port", String(grpc), "--http-metrics-port", String(metrics)],
    ...["--hostname", HOST, "--storage-dir", work.makeFolder("sigstack", "rekor"), "--signer-filepath", key],
    ...["--checkpoint-interval", "100ms", "--batch-max-age", "50ms"],
  ]);
  const server = await whenReady(child, url, () => answers(`${url}/healthz`));
  // Asked to end it takes more than ten seconds, to keep what goes with the suite's home.
  return { who, url, server: { ...server, stop: () => killChild(child) } };
}

async function startTimestampAuthority(work: Workplace): Promise<Running<FakeTimestampAuthority>> {
  const port = await freePort();
  const base = `http://${HOST}:${port}`;
  const url = `${base}/api/v1/timestamp`;
  const who = new FakeTimestampAuthority({ uri: url });
  const chain = work.write("sigstack/tsa.pem", who.chain.map(certificatePem).join(""));
  const key = work.write("sigstack/tsa.key", privatePem(who.key.privateKey));
  const child = start("sigstack-services", ["tsa", String(port), chain, key]);
  return { who, url, server: await whenReady(child, base, () => answers(`${base}/ping`)) };
}

/** In an environment without proxies, and without variables that the services would take for settings. */
function start(name: string, args: readonly string[]): ChildProcess {
  const env = Object.fromEntries(Object.keys(process.env).map((variable) => [variable, undefined]));
  return startPeer(name, args, { env: { ...env, PATH: process.env["PATH"], HOME: process.env["HOME"] } });
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url).catch(() => undefined);
  await response?.body?.cancel();
  return response?.ok === true;
}

function privatePem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

interface Parts {
  readonly fulcio: Running<FakeAuthority>;
  readonly rekor: Running<FakeLog>;
  readonly tsa: Running<FakeTimestampAuthority>;
  readonly certificateLog: FakeCertificateLog;
  readonly people: StackIssuer;
}

function writeFiles(
  work: Workplace,
  { fulcio, rekor, tsa, certificateLog, people }: Parts,
): Omit<Sigstack, "people" | "workflows"> {
  const root = trustedRoot({
    authorities: [fulcio.who],
    logs: [rekor.who],
    certificateLogs: [certificateLog],
    timestampAuthorities: [tsa.who],
  });
  const services = {
    authorities: [{ url: fulcio.url }],
    issuers: [{ url: people.url }],
    timestampAuthorities: [{ url: tsa.url }],
  };
  const logs = [{ url: rekor.url, majorApiVersion: 2 }];
  return {
    trustedRoot: work.write("sigstack/trusted_root.json", root),
    signingConfig: work.write("sigstack/signing_config.json", signingConfig({ ...services, logs })),
    withoutLog: work.write("sigstack/without_log.json", signingConfig(services)),
    fulcio: fulcio.url,
    timestamps: tsa.url,
  };
}

/** As the public instance is set up for people and for GitHub's workflows (fulcio, config/identity). */
function fulcioConfig(people: string, workflows: string): string {
  const claims: Readonly<Record<string, string>> = {
    "github-workflow-trigger": "event_name",
    "github-workflow-sha": "sha",
    "github-workflow-name": "workflow",
    "github-workflow-repository": "repository",
    "github-workflow-ref": "ref",
    "build-signer-uri": "{{ .url }}/{{ .job_workflow_ref }}",
    "build-signer-digest": "job_workflow_sha",
    "runner-environment": "runner_environment",
    "source-repository-uri": "{{ .url }}/{{ .repository }}",
    "source-repository-digest": "sha",
    "source-repository-ref": "ref",
    "source-repository-identifier": "repository_id",
    "source-repository-owner-uri": "{{ .url }}/{{ .repository_owner }}",
    "source-repository-owner-identifier": "repository_owner_id",
    "build-config-uri": "{{ .url }}/{{ .workflow_ref }}",
    "build-config-digest": "workflow_sha",
    "build-trigger": "event_name",
    "run-invocation-uri": "{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}",
    "source-repository-visibility-at-signing": "repository_visibility",
  };
  const issuer = (url: string, more: Readonly<Record<string, string>>) => [
    url,
    { "issuer-url": url, "client-id": "sigstore", ...more },
  ];
  // JSON is YAML; but Fulcio reads what is JSON to its end as its older format, with other names.
  return `# YAML\n${JSON.stringify({
    "oidc-issuers": Object.fromEntries([
      issuer(people, { type: "email" }),
      issuer(workflows, { type: "ci-provider", "ci-provider": "github-workflow" }),
    ]),
    "ci-issuer-metadata": {
      "github-workflow": {
        "default-template-values": { url: "https://github.com" },
        "extension-templates": claims,
        "subject-alternative-name-template": "{{ .url }}/{{ .job_workflow_ref }}",
      },
    },
  })}\n`;
}
