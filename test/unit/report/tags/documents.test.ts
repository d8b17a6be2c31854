import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Finding } from "../../../../src/core/errors.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import type {
  GcResult,
  InitResult,
  InspectResult,
  Publication,
  RotateResult,
  SignerResult,
  SignerSummary,
  TrustAudit,
  TrustChange,
} from "../../../../src/core/tags/admin-results.ts";
import type { Binding } from "../../../../src/core/tags/binding.ts";
import type { RootPin } from "../../../../src/core/tags/pin.ts";
import { instant } from "../../../../src/core/time.ts";
import * as administration from "../../../../src/report/tags/administration.ts";
import { inspectDocument, inspectText } from "../../../../src/report/tags/inspect.ts";
import { pinsDocument, pinsText } from "../../../../src/report/tags/pins.ts";
import {
  auditVerdict,
  diffDocument,
  diffText,
  trustAuditsDocument,
  trustAuditText,
} from "../../../../src/report/tags/review.ts";
import { type Schema, violations } from "../../../support/json-schema.ts";

const NOW = instant(Date.UTC(2026, 10, 23, 12));
const DAY = 86_400_000;
const GUN = "registry.example/acme/app";

function digest(letter: string): Digest {
  return `sha256:${letter.repeat(64)}` as Digest;
}

const [KEY_A, KEY_B] = ["a".repeat(64), "b".repeat(64)];
const STALE: Finding = { code: "frozen", message: "the timestamp has expired", found: "expired 3 days ago" };

const ROOT = { name: "root", keyIds: [KEY_A, KEY_B], threshold: 2, version: 3, expires: instant(NOW + 20 * DAY) };
const CI: SignerSummary = {
  name: "ci",
  keyIds: [KEY_B],
  threshold: 1,
  version: undefined,
  expires: undefined,
  tags: ["v*", "latest"],
  isTerminating: true,
  bindings: 0,
};
const PIN: RootPin = {
  gun: GUN,
  rootVersion: 1,
  root: digest("1"),
  rootKeyIds: [KEY_A],
  threshold: 1,
  mode: "tofu",
  firstSeen: NOW,
};
const WAITING = {
  role: "targets",
  version: 1_795_000_000_000,
  signedBy: [KEY_A],
  open: [KEY_B],
  missing: 1,
  tag: "countersign-trust.pending.targets",
};
const PUBLISHED: Publication = { state: "published", head: digest("9"), warnings: [STALE] };
const PENDING: Publication = { state: "pending", waiting: WAITING };

const BINDING: Binding = {
  tag: "1.4",
  digest: digest("2"),
  length: 528,
  mediaType: "application/vnd.oci.image.index.v1+json",
  signedAt: instant(NOW - 3 * DAY),
  source: "commit 4f0c",
  supersedes: digest("3"),
  note: "the\u001b[31m one",
  requires: [{ identity: "release@acme.example", issuer: "https://issuer.example" }],
};
const REVOKED: Binding = {
  tag: "1.3",
  digest: digest("3"),
  length: 528,
  mediaType: undefined,
  signedAt: undefined,
  requires: [],
  revoked: { at: instant(NOW - DAY), reason: "CVE-2024-3094 in xz" },
};

const INSPECTED: InspectResult = {
  gun: GUN,
  location: "registry.example/acme/trust",
  aliases: ["mirror.example/acme/app"],
  head: digest("9"),
  pin: undefined,
  rootDigest: digest("1"),
  roles: [ROOT],
  signers: [CI],
  tags: [
    {
      binding: BINDING,
      role: "ci",
      keyIds: [KEY_B],
      shadowed: [{ role: "targets", digest: digest("4") }],
      registryDigest: digest("5"),
    },
    { binding: REVOKED, role: "targets", keyIds: [KEY_A], shadowed: [], registryDigest: null },
  ],
  releasedDigests: 4,
  unsignedTags: ["nightly"],
  notices: [STALE],
  waiting: [WAITING],
};

const CHANGES: readonly TrustChange[] = [
  { kind: "bound", role: "ci", tag: "1.4", digest: digest("2"), was: undefined, requires: [] },
  { kind: "bound", role: "ci", tag: "latest", digest: digest("2"), was: digest("3"), requires: [] },
  { kind: "unbound", role: "ci", tag: "1.2", was: digest("4") },
  { kind: "revoked", role: "ci", what: "1.3", reason: "CVE-2024-3094 in xz" },
  { kind: "released", role: "ci", digest: digest("2"), requires: [] },
  { kind: "withdrawn", role: "ci", digest: digest("4") },
  { kind: "signer-added", signer: "dana", keyIds: [KEY_A], tags: ["prod-*"], threshold: 1, terminating: true },
  { kind: "signer-removed", signer: "erin", keyIds: [], tags: [], threshold: 1, terminating: false },
  { kind: "keys", role: "root", added: [KEY_A], removed: [KEY_B], threshold: 2 },
  { kind: "keys", role: "root", added: [], removed: [], threshold: 1 },
  { kind: "version", role: "snapshot", from: undefined, to: 2, expires: "2026-01-31T12:00:00Z" },
];

const INIT: InitResult = { gun: GUN, location: GUN, head: digest("9"), pin: PIN, roles: [ROOT] };
const SIGNER: SignerResult = {
  gun: GUN,
  change: "removed",
  signer: CI,
  orphaned: [{ tag: "1.2", digest: digest("4") }],
  rebound: [{ tag: undefined, digest: digest("2") }],
  publication: PUBLISHED,
};
const ROTATED: RotateResult = {
  gun: GUN,
  role: "online",
  addedKeyIds: [KEY_A],
  removedKeyIds: [KEY_B],
  threshold: 1,
  root: { version: 2, digest: digest("8") },
  publication: PENDING,
};
const COLLECTED: GcResult = {
  gun: GUN,
  removed: [digest("6")],
  kept: [],
  tags: ["countersign-trust.role.ci"],
  isDryRun: true,
  unsupported: { code: "unsupported", message: "the registry lets nothing be deleted" },
};
const AUDIT: TrustAudit = {
  gun: GUN,
  location: GUN,
  head: undefined,
  roots: 1,
  bindings: 2,
  findings: [STALE, { code: "unreachable", message: "the registry could not be reached" }],
  notices: [STALE],
};

function schemaOf(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../../../../docs/schemas/${name}.json`, import.meta.url), "utf8"));
}

const DOCUMENTS: readonly (readonly [schema: string, document: string])[] = [
  [
    "trust-init",
    administration.initDocument(INIT, { keyFolder: undefined, pinsFile: "pins.json", cautions: ["one key"] }),
  ],
  ["trust-init", administration.initDocument(INIT, { keyFolder: "/keys", pinsFile: "pins.json", cautions: [] })],
  ["trust-signer", administration.signersDocument("trust signer remove", [SIGNER])],
  ["trust-signer", administration.signersDocument("trust signer add", [{ ...SIGNER, publication: PENDING }])],
  ["trust-signer-list", administration.signerListDocument(GUN, [CI])],
  ["trust-rotate", administration.rotateDocument(ROTATED)],
  ["trust-rotate", administration.rotateDocument({ ...ROTATED, root: undefined, publication: PUBLISHED })],
  [
    "trust-approve",
    administration.approveDocument({ gun: GUN, role: "root", version: 2, changes: CHANGES, publication: PENDING }),
  ],
  ["trust-gc", administration.gcDocument(COLLECTED)],
  ["trust-gc", administration.gcDocument({ ...COLLECTED, unsupported: undefined })],
  ["trust-diff", diffDocument({ gun: GUN, from: "head", to: "staged", changes: CHANGES })],
  ["trust-audit", trustAuditsDocument([AUDIT, { ...AUDIT, head: digest("9"), findings: [] }])],
  ["trust-pin", pinsDocument({ file: "pins.json", change: undefined, pins: [PIN], mirrors: { "m.example/a": GUN } })],
  ["trust-inspect", inspectDocument([INSPECTED, { ...INSPECTED, pin: PIN, unsignedTags: undefined, tags: [] }])],
];

describe("documents of commands on signed tags", () => {
  for (const [at, [schema, document]] of DOCUMENTS.entries()) {
    it(`fit docs/schemas/${schema}.json (${at})`, () => {
      assert.deepEqual(violations(JSON.parse(document), schemaOf(schema)), []);
    });
  }

  it("do not fit another's", () => {
    const names = [...new Set(DOCUMENTS.map(([schema]) => schema))];
    for (const [schema, document] of DOCUMENTS) {
      for (const other of names.filter((name) => name !== schema)) {
        assert.notDeepEqual(violations(JSON.parse(document), schemaOf(other)), [], `${schema} fits ${other}`);
      }
    }
  });
});

describe("the report of trust inspect", () => {
  const text = inspectText(INSPECTED, NOW);

  it("says that nothing is proven without a pin, and what is with one", () => {
    assert.match(text, /pinned +no: nothing here is proven/);
    assert.match(
      inspectText({ ...INSPECTED, pin: PIN }, NOW),
      /pinned +sha256:1+, root version 1, trusted on first use/,
    );
  });

  it("calls a tag that was taken back revoked, with the reason and since when", () => {
    assert.match(text, /revoked +1\.3 .*\n.*\n +because +CVE-2024-3094 in xz, 1 day ago/);
  });

  it("shows which roles bind a tag and do not count", () => {
    assert.match(text, /not heeded +targets binds it to sha256:4+/);
  });

  it("warns where the registry's tag names something else, or nothing", () => {
    assert.match(text, /warning +the registry has the tag at sha256:5+: what is signed counts/);
    assert.match(text, /warning +the registry has no such tag/);
  });

  it("prints no control characters that a signer has written", () => {
    assert.doesNotMatch(text, /\u001b/);
  });

  it("says how long everything holds", () => {
    assert.match(text, /root +version 3, 2 of 2 keys: a{12}… b{12}…, until 2026-12-13T12:00:00Z \(in 20 days\)/);
    assert.match(text, /signer +ci: tags v\* latest, nobody else for these, 0 bound; nothing signed yet/);
  });

  it("says it where no tag is signed", () => {
    assert.match(inspectText({ ...INSPECTED, tags: [] }, NOW), /\nno tag is signed\n$/);
  });

  it("ends a list that would go on for ever", () => {
    const [tag] = INSPECTED.tags;
    assert.ok(tag !== undefined);
    const many = inspectText({ ...INSPECTED, tags: Array.from({ length: 600 }, () => tag) }, NOW);
    assert.match(many, /100 more, all of them with -o json\n$/);
  });
});

describe("reports of what was changed", () => {
  it("name every tag that nobody signs any more", () => {
    assert.match(administration.signerText(SIGNER), /warning +nobody signs this tag any more: 1\.2 is sha256:4+/);
  });

  it("say whose signatures are missing where something waits", () => {
    const text = administration.rotateText(ROTATED);
    assert.match(text, /waiting +targets, version \d+: 1 more signature wanted, by any of b{12}…/);
    assert.doesNotMatch(text, /published/);
  });

  it("say in full what was agreed to", () => {
    const text = administration.approveText({
      gun: GUN,
      role: "ci",
      version: 2,
      changes: CHANGES,
      publication: PUBLISHED,
    });
    assert.equal(text.match(/agreed to/g)?.length, CHANGES.length);
    assert.match(text, /ci binds latest to sha256:2+, before sha256:3+/);
    assert.match(text, /keys of root: key a+… added, key b+… removed; 2 have to sign/);
  });

  it("say what would be removed, and why it cannot be", () => {
    assert.match(
      administration.gcText(COLLECTED),
      /would remove +1 old head, 1 tag.*\n +kept +0 old heads\n +because +the registry/,
    );
  });

  it("tell a consumer's command with the root's checksum", () => {
    const text = administration.initText(INIT, { keyFolder: "/keys", pinsFile: "p", cautions: ["one key"] }, NOW);
    assert.match(text, new RegExp(`consumers +countersign trust pin ${GUN} --root-checksum ${PIN.root}`));
    assert.match(text, /warning +one key/);
  });
});

describe("reports of what is different and what is wrong", () => {
  it("say that nothing changed", () => {
    assert.equal(
      diffText({ gun: GUN, from: "head", to: "staged", changes: [] }),
      `changes       ${GUN}: from head to staged\n  none\n`,
    );
  });

  it("have a line for each change", () => {
    assert.equal(diffText({ gun: GUN, from: "a", to: "b", changes: CHANGES }).split("\n").length, CHANGES.length + 2);
  });

  it("are refused before undetermined, and passed only where nothing is wrong", () => {
    assert.equal(auditVerdict(AUDIT), "refused");
    assert.equal(auditVerdict({ ...AUDIT, findings: AUDIT.findings.slice(1) }), "undetermined");
    assert.equal(auditVerdict({ ...AUDIT, findings: [] }), "passed");
    assert.match(trustAuditText(AUDIT), /^refused +registry.example\/acme\/app {3}frozen\n/);
  });

  it("list pins with ids in full, for who compares them", () => {
    const text = pinsText({ file: "pins.json", change: undefined, pins: [PIN], mirrors: { "m.example/a": GUN } });
    assert.match(text, new RegExp(`root key +${KEY_A}\n`));
    assert.match(text, /mirror +m\.example\/a\n +of +registry/);
    assert.match(text, /1 root pinned in pins\.json\n$/);
    assert.equal(pinsText({ file: "p", change: undefined, pins: [], mirrors: {} }), "no roots are pinned in p\n");
  });
});
