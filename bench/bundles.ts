import { bundleFromJSON } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import { type Digest, digestOf } from "../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../src/core/oci/media-types.ts";
import { instant } from "../src/core/time.ts";
import { exactly } from "../src/core/trust/identity.ts";
import { loadTrustMaterial } from "../src/core/trust/load.ts";
import { PUBLIC_DEMANDS } from "../src/core/trust/material.ts";
import { examine } from "../src/core/verify/examine.ts";
import type { Requirement } from "../src/core/verify/requirement.ts";
import { ISSUER, SUBJECT } from "../test/support/sigstore/authority.ts";
import {
  bundleOf,
  type FakeSigstore,
  fakeSigstore,
  type SignOptions,
  signKeyless,
} from "../test/support/sigstore/sign.ts";
import { NOW } from "../test/support/sigstore/times.ts";
import type { Bench } from "./bench.ts";
import { alternate, median, medianMs, pairedRatio, type Run } from "./measure.ts";
import { decimal, type Row, type Section } from "./results.ts";
import { type Reading, type SignatureClock, startSignatureClock } from "./signature-clock.ts";

/** A signed image. */
interface Signed {
  readonly digest: Digest;
  readonly bundle: Uint8Array;
}

/** Verifies one signature. @throws Error where it does not hold: a refusal has no speed. */
type Verify = (signed: Signed) => void;

/** Many bundles, one after the other, in one process. */
export async function measureBundles(bench: Bench): Promise<Section> {
  const [count, rounds] = bench.quick ? [100, 1] : [1000, 5];
  const sigstore = fakeSigstore();
  const verifiers = { ours: await ourVerifier(sigstore), theirs: libraryVerifier(sigstore) };
  const rows: Row[] = [];
  for (const { name, options } of kindsOf(sigstore)) {
    const signatures = Array.from({ length: count }, (_, at) => sign(sigstore, `image ${at}`, options));
    rows.push(...(await compare(name, signatures, verifiers, rounds)));
  }
  return {
    title: "Many bundles in one process",
    method:
      `${count} Sigstore bundles v0.3, each of an image, a key and a certificate of its own, one after the other on one thread;` +
      " no network, the trust root is read beforehand. countersign examines them as evidence: strict parsing, the whole proof," +
      " identity, subject. @sigstore/verify, which proves log entries inside countersign, does it here alone, with its own readers" +
      " and the same thresholds and identity. Time in ECDSA includes the hash of what was signed. The ratio is ours to the" +
      " library's; of bundles a second, more is better.",
    columns: ["countersign", "@sigstore/verify"],
    rows,
    skipped: ["cosign: it verifies one bundle in a process, so that its start would be compared with a loop"],
  };
}

function kindsOf(sigstore: FakeSigstore): readonly { readonly name: string; readonly options: SignOptions }[] {
  return [
    { name: "Rekor 1 entry, SCT", options: {} },
    { name: "Rekor 2 entry, timestamp, SCT", options: { logs: [sigstore.log2] } },
  ];
}

function sign(sigstore: FakeSigstore, image: string, options: SignOptions): Signed {
  const digest = digestOf(Buffer.from(image));
  return { digest, bundle: bundleOf(signKeyless(sigstore, { ...options, what: { image: digest } })) };
}

// --- verifiers --------------------------------------------------------------------------------------------------------

async function ourVerifier({ trustedRoot }: FakeSigstore): Promise<Verify> {
  const condition = { subject: exactly(SUBJECT), issuer: exactly(ISSUER), claims: [] };
  const trust = await loadTrustMaterial(trustedRoot, "trusted_root.json");
  const requirement: Requirement = {
    keys: [],
    identities: [{ condition, trust, demands: PUBLIC_DEMANDS }],
    threshold: 1,
    annotations: {},
    signedAs: [],
    now: instant(NOW),
  };
  return ({ bundle, digest }) => {
    const descriptor = { mediaType: MEDIA_TYPES.ociManifest, digest, size: 1 };
    const subject = { name: digest, repository: undefined, descriptor };
    const candidate = { format: "bundle", origin: { via: "referrers-api" }, bytes: bundle } as const;
    const { accepted, finding } = examine(candidate, subject, requirement);
    if (!accepted) throw new Error(finding?.message);
  };
}

function libraryVerifier({ trustedRoot }: FakeSigstore): Verify {
  const trust = toTrustMaterial(TrustedRoot.fromJSON(parse(trustedRoot)));
  const verifier = new Verifier(trust, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 });
  const policy = { subjectAlternativeName: SUBJECT, extensions: { issuer: ISSUER } };
  return ({ bundle }) => void verifier.verify(toSignedEntity(bundleFromJSON(parse(bundle))), policy);
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}

// --- measuring --------------------------------------------------------------------------------------------------------

type Timed = Run & Reading;

async function compare(
  name: string,
  signatures: readonly Signed[],
  verifiers: { readonly ours: Verify; readonly theirs: Verify },
  rounds: number,
): Promise<readonly Row[]> {
  const clock = startSignatureClock();
  try {
    const { ours = [], theirs = [] } = await alternate(
      {
        ours: async () => time(verifiers.ours, signatures, clock),
        theirs: async () => time(verifiers.theirs, signatures, clock),
      },
      rounds,
    );
    const number = signatures.length;
    const rate = (runs: readonly Timed[]) => decimal(number / (medianMs(runs) / 1000), 0);
    const each = (runs: readonly Timed[]) => median(runs.map(({ verifications }) => verifications / number));
    const share = (runs: readonly Timed[]) => median(runs.map(({ ecdsaMs, ms }) => ecdsaMs / ms));
    const percent = (runs: readonly Timed[]) => `${Math.round(100 * share(runs))} %`;
    return [
      row(`bundles a second: ${name}`, 1 / pairedRatio(ours, theirs), rate(ours), rate(theirs)),
      row(
        `signatures verified for each: ${name}`,
        each(ours) / each(theirs),
        decimal(each(ours), 1),
        decimal(each(theirs), 1),
      ),
      row(`share of the time in ECDSA: ${name}`, share(ours) / share(theirs), percent(ours), percent(theirs)),
    ];
  } finally {
    clock.stop();
  }
}

function time(verify: Verify, signatures: readonly Signed[], clock: SignatureClock): Timed {
  clock.reset();
  const started = performance.now();
  for (const signed of signatures) verify(signed);
  return { ms: performance.now() - started, peakMiB: 0, ...clock.read() };
}

function row(what: string, ratio: number, ours: string, peer: string): Row {
  return { what, ratio: decimal(ratio), ours, peer };
}
