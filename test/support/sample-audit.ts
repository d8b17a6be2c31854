import type { Audit, AuditedImage, AuditedSigner, Use } from "../../src/core/audit/audit.ts";
import type { Finding } from "../../src/core/errors.ts";
import { type Digest, digestOf } from "../../src/core/oci/digest.ts";
import type { SourceKind, SourceProblem } from "../../src/core/sources/mention.ts";
import { type Instant, instant } from "../../src/core/time.ts";

/** An audit with a bit of everything that a report has to show. Nothing in it follows from a clock or from chance. */

export const SAMPLE_AT: Instant = instant(Date.UTC(2026, 8, 1, 12));
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** What whoever names an image, a workload or a file could try on who reads a report. */
export const HOSTILE = {
  script: '</script><script>globalThis.hostile = true</script><img src=x onerror="globalThis.hostile = true">',
  terminal: "\u001b[2J\u001b[31mred\u0007\u0000",
  lines: "one\r\ntwo\nthree\u2028four\u2029five",
  reversed: "abc\u202egnp.exe\u2066\u200b\u00ad",
  markdown: "a|b `code` **bold** [link](https://evil.example) <!-- hidden --> @acme/owners #1 \\| ``` ~~~",
  formula: '=HYPERLINK("https://evil.example","click")',
  quotes: `"double" 'single' & <b>bold</b>`,
  cdata: "]]> <![CDATA[ \ud800 \ufffe \u0008",
  long: "long-".repeat(400),
} as const;

export function digestFor(text: string): Digest {
  return digestOf(Buffer.from(text));
}

export function ago(milliseconds: number): Instant {
  return instant(SAMPLE_AT - milliseconds);
}

const KEY: AuditedSigner = {
  kind: "key",
  name: "release.pub (SHA256:1f2e3d4c5b6a7988…)",
  id: "SHA256:1f2e3d4c5b6a79880123456789abcdef0123456789abcdef0123456789abcdef",
  as: "releases",
  format: "cosign-legacy",
  signedAt: ago(40 * DAY),
};

export function workflowOf(repository: string, age: number): AuditedSigner {
  return {
    kind: "identity",
    name: `release.yml of ${repository} at refs/tags/v1 (GitHub Actions)`,
    id: `https://token.actions.githubusercontent.com https://github.com/${repository}/.github/workflows/release.yml@refs/tags/v1`,
    format: "bundle",
    signedAt: ago(age),
  };
}

interface UseOptions {
  readonly source?: string;
  readonly kind?: SourceKind;
  readonly workload?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly container?: string;
  readonly owner?: string | undefined;
  readonly line?: number | undefined;
  readonly as?: string;
}

export function useOf(image: string, options: UseOptions = {}): Use {
  const { source = "deploy/shop/web.yaml", kind = "kubernetes" } = options;
  const { line, owner } = { line: 12, owner: "team-shop", ...options };
  return {
    as: options.as ?? image,
    kind,
    place: line === undefined ? { source } : { source, line, column: 16 },
    workload: {
      kind: options.workload ?? "Deployment",
      ...(kind === "kubernetes" || kind === "cluster" ? { namespace: options.namespace ?? "shop" } : {}),
      name: options.name ?? "web",
      container: options.container ?? "app",
      ...(owner === undefined ? {} : { owner }),
    },
  };
}

/** An accepted image; `changes` make something else of it. */
export function imageOf(image: string, changes: Partial<AuditedImage> = {}): AuditedImage {
  const digest = changes.digest ?? digestFor(image);
  const pinned = image.includes("@");
  return {
    image,
    name: pinned ? image : `${image}@${digest}`,
    digest,
    verdict: "accepted",
    reasons: [],
    warnings: [],
    because: "a signature by releases",
    rule: { name: "acme images come from their release workflow", place: "policy.yaml:12" },
    signers: [workflowOf("acme/app", 3 * DAY)],
    checked: ["signature", "certificate chain", "log entry"],
    notChecked: ["platforms"],
    pinned,
    drift: false,
    uses: [useOf(image)],
    ...changes,
  };
}

export function refusedOf(
  image: string,
  reasons: readonly Finding[],
  changes: Partial<AuditedImage> = {},
): AuditedImage {
  return imageOf(image, { verdict: "refused", reasons, because: undefined, signers: [], ...changes });
}

export function undeterminedOf(
  image: string,
  reasons: readonly Finding[],
  changes: Partial<AuditedImage> = {},
): AuditedImage {
  return imageOf(image, {
    verdict: "undetermined",
    reasons,
    because: undefined,
    signers: [],
    checked: [],
    rule: undefined,
    ...changes,
  });
}

const WRONG_IDENTITY: Finding = {
  code: "wrong-identity",
  message: "no wanted identity signed this digest",
  found: "build.yml of acme/app at refs/heads/main (GitHub Actions), 2 hours ago",
  wanted: "release.yml of acme/app at refs/tags/*",
  place: "policy.yaml:14",
  next: "release 1.4.3 through release.yml, then verify again",
};
const UNSIGNED: Finding = {
  code: "unsigned",
  message: "there is no signature",
  wanted: "one by release.pub (SHA256:1f2e3d4c5b6a7988…)",
  place: "policy.yaml:20",
};
const THROTTLED: Finding = {
  code: "throttled",
  message: "the registry wants fewer requests",
  found: "429 on the list of referrers, 4 tries in 12 s; retry after 40 s",
  next: "try again in 40 s; until then the image counts as not verified",
};
const SCAN_OLD: Finding = {
  code: "scan-old",
  message: "the newest scan is older than the policy allows",
  found: "a scan of 2026-06-01T00:00:00Z",
  wanted: "one of the last 30 days",
  place: "policy.yaml:31",
};
const TAMPERED: Finding = {
  code: "bad-signature",
  message: "a signature does not verify over its content",
  found: "a signature that names release.pub, at the .sig tag",
};
const NOT_FOUND: Finding = { code: "not-found", message: "the registry has no such tag", found: "404 on the manifest" };

function refusedImages(): readonly AuditedImage[] {
  const app = "registry.example/acme/app:1.4.3";
  const old = "registry.example/acme/worker:2.0.0";
  return [
    refusedOf(app, [WRONG_IDENTITY, { ...UNSIGNED, found: "3 signatures by others" }], {
      uses: [
        useOf(app),
        useOf(app, { source: "deploy/shop/jobs.yaml", workload: "CronJob", name: "nightly", line: 41 }),
        useOf(app, { source: "compose.yaml", kind: "compose", workload: "service", name: "app", line: 4 }),
      ],
    }),
    refusedOf(old, [SCAN_OLD], {
      scannedAt: ago(92 * DAY),
      uses: [useOf(old, { source: "deploy/shop/worker.yaml", name: "worker", owner: "team-shop" })],
    }),
    refusedOf("registry.example/acme/tools/deploy:latest", [TAMPERED], {
      uses: [
        useOf("registry.example/acme/tools/deploy", {
          source: ".gitlab-ci.yml",
          kind: "gitlab-ci",
          workload: "job",
          name: "deploy",
          owner: "team-platform",
          line: 8,
        }),
      ],
    }),
    ...["docker.io/library/nginx:1.27", "docker.io/library/redis:7", "docker.io/library/postgres:17"].map((image, at) =>
      refusedOf(image, [UNSIGNED], {
        uses: [
          useOf(image, {
            name: `base-${at}`,
            source: "deploy/base/all.yaml",
            line: 10 + at * 20,
            owner: "team-platform",
          }),
          useOf(image, {
            name: `edge-${at}`,
            source: "cluster://production",
            kind: "cluster",
            line: undefined,
            namespace: "edge",
            owner: undefined,
          }),
        ],
      }),
    ),
  ];
}

function undeterminedImages(): readonly AuditedImage[] {
  const gone = "registry.example/acme/gone:1";
  return [
    undeterminedOf("quay.example/data/db:9", [THROTTLED], {
      uses: [
        useOf("quay.example/data/db:9", {
          name: "db",
          namespace: "data",
          owner: "team-data",
          source: "deploy/data/db.yaml",
        }),
      ],
    }),
    undeterminedOf("quay.example/data/etl:3", [THROTTLED], {
      uses: [
        useOf("quay.example/data/etl:3", {
          name: "etl",
          namespace: "data",
          owner: "team-data",
          source: "deploy/data/etl.yaml",
        }),
      ],
    }),
    undeterminedOf(gone, [NOT_FOUND], {
      digest: undefined,
      name: gone,
      uses: [
        useOf(gone, {
          source: "cluster://production",
          kind: "cluster",
          line: undefined,
          name: "old-job",
          workload: "CronJob",
          owner: undefined,
        }),
      ],
    }),
  ];
}

function doubtfulImages(): readonly AuditedImage[] {
  const pinned = `registry.example/acme/api:2.1@${digestFor("api as it was pinned")}`;
  const lost = `registry.example/acme/auth:5@${digestFor("auth")}`;
  const warned = `registry.example/acme/cart:1@${digestFor("cart")}`;
  return [
    imageOf(pinned, {
      drift: true,
      digest: digestFor("api as it was pinned"),
      tagDigest: digestFor("api as it is now"),
    }),
    imageOf(lost, { digest: digestFor("auth"), tagFinding: { ...NOT_FOUND, message: "the tag is gone" } }),
    imageOf(warned, {
      digest: digestFor("cart"),
      warnings: [{ code: "scan-old", message: "the newest scan will be too old in 2 days", place: "policy.yaml:31" }],
      scannedAt: ago(28 * DAY),
    }),
  ];
}

const TEAMS = ["team-shop", "team-platform", "team-data", "team-mobile"] as const;
const AGES = [2 * HOUR, 3 * DAY, 12 * DAY, 45 * DAY, 120 * DAY, 400 * DAY] as const;

/** Forty that are accepted, pinned two times out of three. */
function acceptedImages(): readonly AuditedImage[] {
  return Array.from({ length: 40 }, (_, at) => {
    const team = TEAMS[at % TEAMS.length] ?? "team-shop";
    const name = `registry.example/acme/${team.slice(5)}/service-${at}`;
    const digest = digestFor(name);
    const image = at % 3 === 0 ? `${name}:1.${at}` : `${name}:1.${at}@${digest}`;
    const age = AGES[at % AGES.length] ?? DAY;
    const signers =
      at % 7 === 0 ? [] : at % 5 === 0 ? [workflowOf(`acme/${team}`, age), KEY] : [workflowOf("acme/app", age)];
    return imageOf(image, {
      digest,
      signers: signers.length === 0 ? [{ ...KEY, signedAt: undefined }] : signers,
      ...(at % 4 === 0 && { scannedAt: ago(at * DAY) }),
      uses: Array.from({ length: 1 + (at % 3) }, (_, use) =>
        useOf(image, {
          name: `service-${at}`,
          container: `c${use}`,
          source: `deploy/${team}/${at}.yaml`,
          line: 10 + use,
          owner: team,
        }),
      ),
    });
  });
}

/** Each puts its text everywhere where somebody else's words can stand. */
function hostileImages(): readonly AuditedImage[] {
  return Object.entries(HOSTILE).map(([kind, text], at) =>
    (at % 2 === 0 ? refusedOf : undeterminedOf)(
      `hostile.example/${kind}:${text}`,
      [
        {
          code: at % 2 === 0 ? "wrong-key" : "denied",
          message: text,
          found: text,
          wanted: text,
          next: text,
          place: text,
        },
      ],
      {
        warnings: [{ code: "scan-old", message: text }],
        rule: { name: text, place: text },
        signers: [{ ...KEY, name: text, id: text, as: text }],
        checked: [text],
        notChecked: [text],
        uses: [
          useOf(text, {
            source: `deploy/${text}`,
            name: text,
            namespace: text,
            container: text,
            owner: text,
            workload: text,
          }),
        ],
      },
    ),
  );
}

const PROBLEMS: readonly SourceProblem[] = [
  {
    place: { source: "deploy/broken.yaml", line: 7, column: 3 },
    finding: { code: "source-invalid", message: "not YAML: a mapping has no value here", found: "{{ .Values.image }}" },
  },
  {
    place: { source: "cluster://staging" },
    finding: { code: "denied", message: "the pods of namespace kube-system may not be listed", found: "403" },
  },
  {
    place: { source: `deploy/${HOSTILE.script}`, line: 1, column: 1 },
    finding: { code: "source-invalid", message: HOSTILE.terminal, found: HOSTILE.markdown },
  },
];

export function sampleAudit(changes: Partial<Audit> = {}): Audit {
  return {
    at: SAMPLE_AT,
    sources: ["deploy", "compose.yaml", ".gitlab-ci.yml", "cluster://production", "cluster://staging"],
    plan: digestFor("plan"),
    standard: {
      policy: { name: "policy.yaml", digest: digestFor("policy") },
      wanted: "what policy.yaml asks for",
      digest: digestFor("standard"),
      weakened: ["--insecure-ignore-sct"],
    },
    images: [...refusedImages(), ...undeterminedImages(), ...doubtfulImages(), ...acceptedImages(), ...hostileImages()],
    problems: PROBLEMS,
    ...changes,
  };
}

/** The same without whatever is hostile: as it is shown in documentation. */
export function politeAudit(changes: Partial<Audit> = {}): Audit {
  const audit = sampleAudit();
  return {
    ...audit,
    images: audit.images.filter(({ image }) => !image.startsWith("hostile.example/")),
    problems: PROBLEMS.slice(0, 2),
    ...changes,
  };
}

/** As many images as one likes: one in ten refused, one in twenty undetermined. */
export function largeAudit(count: number): Audit {
  const images = Array.from({ length: count }, (_, at): AuditedImage => {
    const image = `registry.example/team-${at % 97}/service-${at}:1.${at % 50}`;
    const uses = [
      useOf(image, { name: `service-${at}`, source: `deploy/team-${at % 97}/${at}.yaml`, owner: `team-${at % 97}` }),
    ];
    if (at % 10 === 0) return refusedOf(image, [at % 20 === 0 ? UNSIGNED : WRONG_IDENTITY], { uses });
    if (at % 20 === 1) return undeterminedOf(image, [THROTTLED], { uses });
    return imageOf(image, {
      uses,
      pinned: at % 3 !== 0,
      signers: [workflowOf(`acme/team-${at % 97}`, (at % 500) * DAY)],
    });
  });
  return { ...politeAudit(), images, problems: [] };
}

/** What hides in a text, or acts on what shows it, beside the line breaks that a format is made of. */
export function hiddenIn(text: string): readonly string[] {
  return [...text.matchAll(/(?![\r\n])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu)].map(([character]) =>
    JSON.stringify(character),
  );
}
