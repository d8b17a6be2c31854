import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import {
  formatWithdrawn,
  parseWithdrawn,
  requireRecent,
  type Withdrawn,
  withDigests,
  withdrawnFindings,
} from "../../../../src/core/policy/withdrawn.ts";
import { instant } from "../../../../src/core/time.ts";
import { ROOT } from "../../../structure/source-files.ts";
import { thrownBy } from "../../../support/codes.ts";
import { type Schema, violations } from "../../../support/json-schema.ts";

const NOW = instant(Date.parse("2026-09-01T12:00:00Z"));
const DAY = 24 * 60 * 60 * 1000;

function digest(fill: number | string): Digest {
  return `sha256:${String(fill).padStart(64, "0")}` as Digest;
}

function parse(text: string): ReturnType<typeof parseWithdrawn> {
  return parseWithdrawn(encodeUtf8(text), "withdrawn.yaml");
}

const HEAD = "apiVersion: countersign/v1\nkind: Withdrawn\nissued: 2026-09-01T12:00:00Z\n";
const ENTRY = `{digest: "${digest(1)}", reason: a backdoor}`;

describe("a list of withdrawn digests", () => {
  it("may be YAML that somebody has written", () => {
    const { issued, digests } = parse(
      `${HEAD}digests:\n  - digest: ${digest(1)}\n    reason: a backdoor\n    since: 2026-08-01\n  - ${ENTRY.replace("1", "2")}\n`,
    );
    assert.equal(issued, NOW);
    assert.deepEqual(digests[0], {
      digest: digest(1),
      reason: "a backdoor",
      since: instant(Date.parse("2026-08-01T00:00:00Z")),
    });
  });

  it("may have nothing on it", () => assert.deepEqual(parse(`${HEAD}digests: []\n`).digests, []));

  it("is written as JSON that is read again, and that fits its schema", async () => {
    const list: Withdrawn = {
      issued: NOW,
      digests: [
        { digest: digest(1), reason: 'a "backdoor"\u2028', since: NOW },
        { digest: digest(2), reason: "old", since: undefined },
      ],
    };
    const bytes = formatWithdrawn(list);
    const { issued, digests } = parseWithdrawn(bytes, "withdrawn.json");
    assert.deepEqual({ issued, digests }, list);
    const schema = JSON.parse(await readFile(join(ROOT, "docs/schemas/withdrawn.json"), "utf8")) as Schema;
    for (const one of [bytes, formatWithdrawn({ issued: NOW, digests: [] })]) {
      assert.deepEqual(violations(JSON.parse(Buffer.from(one).toString()), schema), []);
    }
  });

  const broken: readonly (readonly [string, string])[] = [
    ["nothing", ""],
    ["a list of another version", `${HEAD.replace("v1", "v2")}digests: []`],
    ["another document", `${HEAD.replace("Withdrawn", "Policy")}digests: []`],
    ["no kind", `${HEAD.replace("kind: Withdrawn\n", "")}digests: []`],
    ["no time", `${HEAD.replace(/issued.*\n/, "")}digests: []`],
    ["a time that is none", `${HEAD.replace("2026-09-01", "2026-02-31")}digests: []`],
    ["no digests", HEAD],
    ["digests that are no list", `${HEAD}digests: ${ENTRY}`],
    ["an unknown field", `${HEAD}digests: []\nexcept: []`],
    ["an unknown field of an entry", `${HEAD}digests: [{digest: "${digest(1)}", reason: a, until: never}]`],
    ["no reason", `${HEAD}digests: [{digest: "${digest(1)}"}]`],
    ["an empty reason", `${HEAD}digests: [{digest: "${digest(1)}", reason: ""}]`],
    ["no digest", `${HEAD}digests: [{reason: a}]`],
    ["a digest in capitals", `${HEAD}digests: [{digest: "${digest("A")}", reason: a}]`],
    ["a tag", `${HEAD}digests: [{digest: "app:1", reason: a}]`],
    ["a digest twice", `${HEAD}digests: [${ENTRY}, ${ENTRY}]`],
    ["a field twice", `${HEAD}digests: []\ndigests: []`],
    ["two documents", `${HEAD}digests: []\n---\n${HEAD}digests: []`],
    ["an alias", `${HEAD}digests: [&a ${ENTRY}, *a]`],
  ];
  for (const [what, text] of broken) {
    it(`is refused: ${what}`, () => void thrownBy(() => parse(text), "policy-invalid"));
  }

  it("says where it is wrong", () => {
    const error = thrownBy(
      () => parse(`${HEAD}digests:\n  - ${ENTRY}\n  - {digest: app, reason: a}\n`),
      "policy-invalid",
    );
    assert.match(error.found ?? "", /^withdrawn\.yaml:6:14: /);
  });

  it("may have a name, which is one", () => {
    assert.equal(parse(`${HEAD}name: production\ndigests: []\n`).name, "production");
    for (const name of ['""', "two words", "../up", "[production]", "7", '"a\\nb"', "a".repeat(64)]) {
      thrownBy(() => parse(`${HEAD}name: ${name}\ndigests: []\n`), "policy-invalid");
    }
  });

  it("has an end: bytes, digests, and the length of a reason", () => {
    const entry = (at: number, reason = "a") => `{digest: "${digest(at)}", reason: ${reason}}`;
    const entries = (count: number) => Array.from({ length: count }, (_, at) => entry(at)).join(",");
    assert.equal(
      parse(`${HEAD}digests: [${entries(LIMITS.withdrawnDigests)}]`).digests.length,
      LIMITS.withdrawnDigests,
    );
    thrownBy(() => parse(`${HEAD}digests: [${entries(LIMITS.withdrawnDigests + 1)}]`), "policy-invalid");
    thrownBy(() => parse(`${HEAD}digests: []\n${"#".repeat(LIMITS.withdrawnBytes)}`), "policy-invalid");
    const long = "a".repeat(LIMITS.withdrawnReasonCharacters + 1);
    thrownBy(() => parse(`${HEAD}digests: [${entry(1, long)}]`), "policy-invalid");
    parse(`${HEAD}digests: [${entry(1, long.slice(1))}]`);
  });

  it("is not written longer than it would be read", () => {
    const digests = Array.from({ length: LIMITS.withdrawnDigests + 1 }, (_, at) => ({
      digest: digest(at),
      reason: "a",
    }));
    thrownBy(() => formatWithdrawn({ issued: NOW, digests }), "limit-reached");
    const wordy = digests.slice(0, 5000).map((one) => ({ ...one, reason: "a".repeat(1024) }));
    thrownBy(() => formatWithdrawn({ issued: NOW, digests: wordy }), "limit-reached");
  });

  it("refuses each of its digests, with its reason and where it stands", () => {
    const findings = withdrawnFindings(
      parse(`${HEAD}digests:\n  - {digest: "${digest(1)}", reason: a backdoor, since: 2026-08-01}\n`),
    );
    assert.deepEqual(findings.get(digest(1)), {
      code: "withdrawn",
      message: "this digest was taken back",
      found: "a backdoor (since 2026-08-01T00:00:00Z)",
      place: "withdrawn.yaml:5",
    });
    assert.equal(findings.get(digest(2)), undefined);
  });
});

describe("the age of a list", () => {
  const list = (issued: number): Withdrawn => ({ issued: instant(issued), digests: [] });
  const terms = { label: "withdrawn.json", maxAge: 7 * DAY };

  it("may be as much as is allowed, and anything where nothing is said", () => {
    requireRecent(list(NOW - 7 * DAY), terms, NOW);
    requireRecent(list(0), { ...terms, maxAge: undefined }, NOW);
    requireRecent(list(NOW + LIMITS.clockSkewMs), terms, NOW);
  });

  it("may not be more, and the list says when it was issued", () => {
    const error = thrownBy(() => requireRecent(list(NOW - 7 * DAY - 1), terms, NOW), "trust-stale");
    assert.match(`${error.found} ${error.wanted}`, /7 days ago.*2026-08-25T12:00:00Z or later/);
  });

  it("may not be less than nothing: one of two clocks is wrong", () => {
    for (const maxAge of [terms.maxAge, undefined]) {
      thrownBy(() => requireRecent(list(NOW + LIMITS.clockSkewMs + 1), { ...terms, maxAge }, NOW), "trust-stale");
    }
  });
});

describe("adding to a list", () => {
  const before: Withdrawn = { issued: instant(NOW - DAY), digests: [{ digest: digest(1), reason: "first" }] };

  it("keeps what was on it, also its reason, and issues it now", () => {
    const { list, added, known } = withDigests(before, [digest(1), digest(2)], "second", NOW);
    assert.deepEqual(list, {
      issued: NOW,
      digests: [...before.digests, { digest: digest(2), reason: "second", since: NOW }],
    });
    assert.deepEqual([added.map((one) => one.digest), known], [[digest(2)], before.digests]);
  });

  it("begins one where there is none", () => {
    assert.deepEqual(withDigests(undefined, [digest(1)], "a", NOW).list.digests, [
      { digest: digest(1), reason: "a", since: NOW },
    ]);
  });

  it("does not go on from one of the future", () => {
    thrownBy(() => withDigests({ ...before, issued: instant(NOW + DAY) }, [], "", NOW), "trust-stale");
  });
});
