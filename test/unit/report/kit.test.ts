import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { KitList, KitTrust } from "../../../src/core/formats/kit.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { formatInstant, type Instant, instant } from "../../../src/core/time.ts";
import { parseTrustedRoot } from "../../../src/core/trust/root.ts";
import { type KitResult, kitDocument, kitPolicyText, kitText } from "../../../src/report/kit.ts";
import { thrownBy } from "../../support/codes.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { fakeSigstore } from "../../support/sigstore/sign.ts";
import { DAY, FROM, NOW } from "../../support/sigstore/times.ts";
import { trustedRoot } from "../../support/sigstore/trusted-root.ts";
import { digest, verdict } from "../../support/verdicts.ts";

const now = instant(NOW);
const days = (count: number): Instant => instant(NOW + count * DAY);
const SCHEMA = JSON.parse(
  readFileSync(new URL("../../../docs/schemas/kit-report.json", import.meta.url), "utf8"),
) as Schema;

const TRUST: KitTrust = {
  name: "acme",
  source: { kind: "tuf", mirror: "https://tuf.acme.example" },
  trustedRoot: { digest: digest("6"), size: 60 },
  demands: { logs: 1, certificateLogs: 1, timestamps: 0 },
  fetchedAt: days(-2),
  expires: days(5.5),
  roles: [{ role: "timestamp", version: 12, expires: days(5.5) }],
  tuf: { roots: [], roles: [] },
};
const FILE: KitTrust = {
  ...TRUST,
  name: undefined,
  source: { kind: "file", file: "root.json" },
  fetchedAt: undefined,
  expires: undefined,
  roles: [],
  tuf: undefined,
};
const LIST: KitList = {
  createdAt: days(-1),
  images: [
    {
      repository: "registry.example/acme/app",
      tag: "1",
      manifest: { mediaType: MEDIA_TYPES.ociIndex, digest: digest("1"), size: 10 },
    },
    {
      repository: "registry.example/acme/db",
      tag: undefined,
      manifest: { mediaType: MEDIA_TYPES.ociIndex, digest: digest("2"), size: 10 },
    },
  ],
  attached: [digest("4")],
  trust: [TRUST],
};
const SUMMARY = { manifests: 2, blobs: 3, movedBytes: 2048, presentBytes: 0, notChecked: [] };

function result(more: Partial<KitResult> = {}, list: Partial<KitList> = {}): KitResult {
  const kit = { file: "kit.tar", digest: digest("9"), list: { ...LIST, ...list }, trustRoots: [], bytes: 4096 };
  return { movement: "load", images: [], kit, updates: [], used: [], isListing: false, now, ...more };
}

function fits(one: KitResult): Record<string, unknown> {
  const document = JSON.parse(kitDocument(one)) as Record<string, unknown>;
  assert.deepEqual(violations(document, SCHEMA), []);
  return document;
}

describe("what is said of a kit", () => {
  const POLICY = { file: "policy.yaml", digest: digest("a"), size: 10 };

  it("has its policy, and that it is not judged by", () => {
    const kit = result({}, { policy: POLICY });
    assert.match(kitText(kit), new RegExp(`policy +policy\\.yaml@${POLICY.digest}, to be read; .*never`));
    const { policy } = fits(kit)["kit"] as Record<string, unknown>;
    assert.deepEqual(policy, { file: "policy.yaml", digest: POLICY.digest });
    assert.doesNotMatch(kitText(result()), /policy/);
  });

  it("may be its policy alone, with nothing in it that a terminal obeys", () => {
    assert.equal(kitPolicyText(result({ policy: "a: 1\n\u001b[2J" })), "a: 1\n\\x1b[2J");
    thrownBy(() => kitPolicyText(result()), "usage");
  });

  it("names its digest, its age, what it holds, and how long its trust roots will do", () => {
    assert.equal(
      kitText(result()),
      `kit           kit.tar
  digest        ${digest("9")}
  made          1 day ago, at ${formatInstant(days(-1))}
  holds         2 images, 1 attached manifest, 4.0 KiB
  trust root    acme (https://tuf.acme.example), fetched 2 days ago, 5 days left, until ${formatInstant(days(5.5))}
`,
    );
  });

  it("lists its images where it is only shown, and judges none of them", () => {
    const listing = result({ isListing: true });
    assert.match(
      kitText(listing),
      /image +registry\.example\/acme\/app:1@sha256:1+\n +image +registry\.example\/acme\/db@sha256:2+\n/,
    );
    const document = fits(listing);
    assert.deepEqual([document["images"], document["summary"]], [undefined, undefined]);
  });

  it("says that trust roots have expired, or never do", () => {
    assert.match(kitText(result({}, { trust: [{ ...TRUST, expires: days(-3) }] })), /expired 3 days ago/);
    assert.match(kitText(result({}, { trust: [FILE] })), /trust root +root\.json, a file, which does not expire\n/);
    assert.match(kitText(result({}, { trust: [{ ...TRUST, expires: days(0.5) }] })), /0 days left/);
    const trust = fits(result({}, { trust: [{ ...TRUST, expires: days(-3) }, FILE] }))["kit"] as {
      trust: { daysLeft?: number; name: string | null }[];
    };
    assert.deepEqual(
      trust.trust.map(({ daysLeft, name }) => [daysLeft, name]),
      [
        [0, "acme"],
        [undefined, null],
      ],
    );
  });

  it("says when a trust root believes nobody of a kind any longer", () => {
    const { authority, log } = fakeSigstore();
    const rootUntil = (end: number) =>
      parseTrustedRoot(trustedRoot({ logs: [log], authorities: [{ of: authority, validFor: { start: FROM, end } }] }));
    for (const [end, says] of [
      [days(9), "its authorities end in 9 days"],
      [days(-9), "its authorities ended 9 days ago"],
    ] as const) {
      const { kit, ...rest } = result();
      const told = { ...rest, kit: kit && { ...kit, trustRoots: [rootUntil(end)] } };
      assert.match(kitText(told), new RegExp(`, ${says}\n`));
      fits(told);
    }
  });

  it("says what became of this machine's own trust roots, and which of them judged", () => {
    const outcomes = ["updated", "current", "unknown-instance", "no-metadata"] as const;
    const updates = outcomes.map((outcome) => ({
      name: outcome,
      outcome,
      ...(outcome === "updated" ? { refreshedAt: days(-2), expires: days(4) } : {}),
    }));
    const told = result({
      updates,
      used: [{ label: "acme (refreshed 2 days ago)", refreshedAt: days(-2), expires: days(4) }, { label: "root.json" }],
    });
    const rows = kitText(told)
      .split("\n")
      .filter((line) => /^ {2}(?:trust here|judged by)/.test(line));
    assert.deepEqual(
      rows.map((row) => row.replace(/, until .*/, "")),
      [
        "  trust here    updated: taken from the kit, 4 days left",
        "  trust here    current: as new as the kit's, and kept",
        "  trust here    unknown-instance: not taken: no instance of this machine has this repository",
        "  trust here    no-metadata: not taken: the kit holds no metadata to verify it by",
        "  judged by     acme (refreshed 2 days ago), 4 days left",
      ],
    );
    fits(told);
  });

  it("says where every image went, and that nothing went anywhere where one was not accepted", () => {
    const moved = { verdicts: [verdict()], destination: "mirror.example/acme/app:1", summary: SUMMARY };
    const refused = {
      verdicts: [verdict({ status: "refused", reasons: [{ code: "unsigned", message: "the image is not signed" }] })],
    };
    assert.match(kitText(result({ images: [moved] })), /loaded to +mirror\.example\/acme\/app:1\n/);
    assert.doesNotMatch(kitText(result({ images: [moved] })), /Nothing/);
    assert.match(
      kitText(result({ images: [{ verdicts: [verdict()] }, refused] })),
      /\nNothing was loaded: every image has to be accepted\.\n$/,
    );
    const unsaved = result({ movement: "save", kit: undefined, images: [{ verdicts: [verdict()] }, refused] });
    assert.match(kitText(unsaved), /\nNothing was saved: every image has to be accepted\.\n$/);
    assert.equal(fits(unsaved)["kit"], null);
    fits(result({ images: [moved] }));
  });

  it("never prints what a kit says as it stands there", () => {
    const evil = "\u001b[2Jroot\u0007.json\nkit";
    const told = result(
      { updates: [{ name: evil, outcome: "updated" }], used: [{ label: evil, expires: days(1) }] },
      {
        trust: [
          { ...FILE, source: { kind: "file", file: evil } },
          { ...TRUST, name: evil, source: { kind: "tuf", mirror: evil } },
        ],
        images: [
          {
            repository: undefined,
            tag: evil,
            manifest: { mediaType: MEDIA_TYPES.ociManifest, digest: digest("1"), size: 1 },
          },
        ],
      },
    );
    const text = kitText({ ...told, isListing: true });
    assert.equal([...text].filter((char) => char < " " && char !== "\n").length, 0);
    assert.equal(
      text.split("\n").length,
      kitText({ ...result({ updates: told.updates, used: told.used }, told.kit?.list), isListing: true }).split("\n")
        .length,
    );
    assert.doesNotMatch(text, /^root/m);
    assert.equal([...kitDocument(told)].filter((char) => char < " " && char !== "\n").length, 0);
  });
});
