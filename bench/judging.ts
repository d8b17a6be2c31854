import { type Digest, digestOf } from "../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../src/core/oci/media-types.ts";
import { parsePolicy } from "../src/core/policy/parse.ts";
import { instant } from "../src/core/time.ts";
import type { Rulebook } from "../src/core/verify/criterion.ts";
import type { UntrustedCandidate } from "../src/core/verify/evidence.ts";
import { Hearing } from "../src/core/verify/hearing.ts";
import { openRulebook } from "../src/core/verify/rulebook.ts";
import { bundleOf, type TestSigner, testSigner } from "../test/support/signatures.ts";
import type { Bench } from "./bench.ts";
import { alternate, medianMs, pairedRatio, type Run } from "./measure.ts";
import { atLeast, decimal, type Row, type Section } from "./results.ts";

/** An image as it was recorded: what it is called, and the signature beside it. */
interface Recorded {
  readonly repository: string;
  readonly digest: Digest;
  readonly candidate: UntrustedCandidate;
}

const KEYS = 100;
const RULES = 1_000;
const NOW = instant(Date.UTC(2026, 5, 1));

/** Images that are on hand with their evidence, by a policy of a thousand rules and by one of a single rule. */
export async function measureJudging(bench: Bench): Promise<Section> {
  const [count, rounds] = bench.quick ? [1_000, 1] : [10_000, 7];
  const signers = Array.from({ length: KEYS }, (_, at) => testSigner(`signer-${at}.pub`));
  const [first] = signers;
  if (first === undefined) throw new Error("there are no signers");
  const many = rulebook(policy(RULES, KEYS), signers);
  const one = rulebook(policy(1, 1), signers);
  const rows = [
    await compare("a signature", count, rounds, {
      many: { rulebook: many, images: record(count, (at) => at % RULES, signers) },
      one: { rulebook: one, images: record(count, () => 0, [first]) },
    }),
    await compare("no signature", count, rounds, {
      many: { rulebook: many, images: record(count, (at) => at % RULES, []) },
      one: { rulebook: one, images: record(count, () => 0, []) },
    }),
  ];
  return {
    title: "Judging recorded images by a policy",
    method:
      `${count} images, each with a Sigstore bundle of its own by an ECDSA P-256 key, one after the other on one thread: the rule is` +
      " found, the bundle parsed, its signature verified, the verdict reached; the policy was parsed before. A second is one of" +
      ` processor time, that of all threads of the process counted. ${RULES} rules` +
      ` by ${KEYS} identities, the images spread over all of them, beside a policy of one rule and one identity. The ratio is of` +
      " the time by the large policy to that by the small one; of images a second, more is better.",
    columns: [`${RULES} rules`, "1 rule"],
    rows,
  };
}

function policy(rules: number, keys: number): string {
  const identities = Array.from({ length: keys }, (_, at) => `  signer-${at}: {key: signer-${at}.pub}\n`);
  const each = Array.from({ length: rules }, (_, at) => {
    const require = `{signature: {by: signer-${at % keys}}}`;
    return `  - {name: "rule ${at}", images: registry.example.com/team-${at}/, require: ${require}}\n`;
  });
  return `apiVersion: countersign/v1\nidentities:\n${identities.join("")}rules:\n${each.join("")}`;
}

function rulebook(text: string, signers: readonly TestSigner[]): Rulebook {
  const keys = new Map(signers.map(({ publicKey }) => [publicKey.label, publicKey]));
  return openRulebook(
    parsePolicy(new TextEncoder().encode(text), "policy.yaml"),
    {
      keysOf: async (identity) => [keys.get(`${identity.name}.pub`)].filter((key) => key !== undefined),
      trustFor: async () => [],
      withdrawnBy: async () => new Map(),
    },
    NOW,
  );
}

function record(count: number, ruleOf: (at: number) => number, signers: readonly TestSigner[]): readonly Recorded[] {
  return Array.from({ length: count }, (_, at) => {
    const rule = ruleOf(at);
    const digest = digestOf(Buffer.from(`image ${at}`));
    const signer = signers[rule % Math.max(1, signers.length)];
    const candidate: UntrustedCandidate =
      signer === undefined
        ? { format: "bundle", origin: { via: "file" }, bytes: Buffer.from("{}") }
        : bundleOf(signer, digest);
    return { repository: `registry.example.com/team-${rule}/app-${at}`, digest, candidate };
  });
}

// --- measuring --------------------------------------------------------------------------------------------------------

interface Docket {
  readonly rulebook: Rulebook;
  readonly images: readonly Recorded[];
}

async function compare(
  what: string,
  count: number,
  rounds: number,
  { many, one }: { readonly many: Docket; readonly one: Docket },
): Promise<Row> {
  const isSigned = what === "a signature";
  const runs = await alternate({ many: () => judgeAll(many, isSigned), one: () => judgeAll(one, isSigned) }, rounds);
  const rate = (all: readonly Run[] = []) => count / (medianMs(all) / 1000);
  const ours = rate(runs["many"]);
  return {
    what: `images a second, each with ${what}`,
    ratio: decimal(pairedRatio(runs["many"] ?? [], runs["one"] ?? [])),
    ours: decimal(ours, 0),
    peer: decimal(rate(runs["one"]), 0),
    ...(isSigned && { goal: atLeast(10_000, ours) }),
  };
}

/** @throws Error where one is judged otherwise than it should be: what is wrong has no speed. */
async function judgeAll({ rulebook, images }: Docket, isSigned: boolean): Promise<Run> {
  const started = process.cpuUsage();
  for (const { repository, digest, candidate } of images) {
    const ruling = await rulebook.rulingOf({ repository, digest });
    const descriptor = { mediaType: MEDIA_TYPES.ociManifest, digest, size: 1 };
    const hearing = new Hearing(ruling, { name: repository, repository, descriptor }, rulebook.now);
    hearing.add({ candidates: [candidate], obstacles: [] });
    const { status, reasons } = hearing.judgement();
    if ((status === "accepted") !== isSigned) throw new Error(`${status}: ${reasons[0]?.message}`);
  }
  const { user, system } = process.cpuUsage(started);
  return { ms: (user + system) / 1000, peakMiB: 0 };
}
