import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parseReference } from "../../../src/core/oci/reference.ts";
import { checkPins } from "../../../src/core/pins/check.ts";
import type { PinResult } from "../../../src/core/pins/choose.ts";
import type { SettledPin } from "../../../src/core/pins/locking.ts";
import { instant } from "../../../src/core/time.ts";
import { checkText, explainPin, type PinReport, pinText, summaryLine } from "../../../src/report/pin.ts";
import { checkDocument, pinDocument } from "../../../src/report/pin-json.ts";
import { ANSI } from "../../../src/report/style.ts";
import { violations } from "../../support/json-schema.ts";
import { accepted, DAY, fixed, lockOf, mentioned, NEW, NOW, OLD, unsigned, WEB } from "../../support/pins.ts";

const SCHEMA = JSON.parse(readFileSync(new URL("../../../docs/schemas/pin.json", import.meta.url), "utf8"));
const ALICE = { kind: "key", name: "alice.pub (SHA256:1f2e…)", id: "SHA256:1f2e", format: "bundle" } as const;

function settled(image: string, more: Partial<PinResult> = {}, after = image): SettledPin {
  return { ...mentioned(image), state: "kept", reasons: [], ...more, after: parseReference(after) };
}

const PINNED = settled(
  WEB,
  { state: "pinned", judged: accepted(NEW, { signers: [ALICE], because: "signed by the required key" }) },
  `${WEB}@${NEW}`,
);

function report(pins: readonly SettledPin[], more: Partial<PinReport> = {}): PinReport {
  const lock = { file: "countersign.lock", changes: true };
  return { mode: "pin", pins, problems: [], files: ["deploy.yaml"], lock, diff: "", weakened: [], at: NOW, ...more };
}

/** One of every state. */
const EVERY: readonly SettledPin[] = [
  PINNED,
  settled(`${WEB}@${OLD}`, { state: "moved", judged: accepted(NEW), from: OLD }, `${WEB}@${NEW}`),
  settled(`${WEB}@${OLD}`, { judged: accepted(OLD) }),
  settled(`${WEB}@${OLD}`, {
    state: "held",
    judged: accepted(OLD),
    held: { digest: NEW, since: instant(NOW - DAY), until: NOW + 2 * DAY, isRemembered: true },
  }),
  settled(`${WEB}@${OLD}`, { state: "refused", judged: accepted(OLD), reasons: unsigned(NEW).reasons, offered: NEW }),
  settled(WEB, { state: "undetermined", reasons: [{ code: "not-found", message: "there is no such image" }] }),
  {
    ...fixed(WEB),
    state: "fixed",
    reasons: [{ code: "unpinned", message: "cannot be pinned" }],
    after: parseReference(WEB),
  },
  settled(`${WEB}@${OLD}`, { judged: { ...accepted(OLD), status: "not verified" } }),
];
const PROBLEM = {
  place: { source: "broken.yaml", line: 3, column: 1 },
  finding: { code: "source-invalid", message: "it is no YAML" },
} as const;

describe("what pin prints", () => {
  it("is a block for an image, with every place and who signed", () => {
    const again = { ...PINNED, mention: { ...PINNED.mention, place: { source: "other.yaml", line: 2, column: 5 } } };
    assert.equal(
      pinText(report([PINNED, again])),
      [
        `pinned        ${WEB}@${NEW}`,
        "  in            deploy.yaml:1:1",
        "  in            other.yaml:2:5",
        "  signed by     alice.pub (SHA256:1f2e…)",
        "  because       signed by the required key",
        "",
        "2 pinned; 1 file and countersign.lock written",
        "",
      ].join("\n"),
    );
  });

  it("counts what is kept, and all else", () => {
    assert.equal(
      summaryLine(report(EVERY, { problems: [PROBLEM] })),
      "1 pinned, 1 moved, 2 kept, 1 held back, 1 refused, 1 undetermined, 1 not pinnable, 1 place unread; 1 file and countersign.lock written",
    );
    const nothing = report([], { files: [], lock: { file: "countersign.lock", changes: false } });
    assert.equal(summaryLine(nothing), "no images; nothing to write");
    assert.match(summaryLine(report([PINNED], { mode: "diff" })), /would change$/);
    assert.doesNotMatch(pinText(report(EVERY)), /^kept/m);
  });

  it("says of what is held back since when and until when", () => {
    const text = pinText(report(EVERY));
    assert.match(
      text,
      /waits +sha256:\S+\n +because +first seen accepted 1 day ago; old enough in 2 days, at 2026-09-01T12:00:00Z/,
    );
  });

  it("names what the tag offers where that is refused, and what stays", () => {
    const text = pinText(report(EVERY));
    assert.ok(text.includes(`refused       ${WEB}@${NEW}   unsigned`));
    assert.ok(text.includes(`  stays         ${OLD}`));
    assert.match(explainPin(EVERY[4] ?? PINNED), new RegExp(`^refused: deploy\\.yaml:1:1: ${WEB}@${NEW}: the image`));
  });

  it("lists a few places of one image and counts the others", () => {
    const many = Array.from({ length: 40 }, (_, line) => ({
      ...PINNED,
      mention: { ...PINNED.mention, place: { source: "a", line } },
    }));
    const text = pinText(report(many));
    assert.equal(text.match(/^ {2}in /gm)?.length, 13);
    assert.match(text, /28 more places, all of them with -o json/);
  });

  it("says with every digest that nobody vouches for it", () => {
    const judged = { ...accepted(NEW), status: "not verified" as const };
    const pin = settled(WEB, { state: "pinned", judged }, `${WEB}@${NEW}`);
    const text = pinText(report([pin], { weakened: ["--no-verify"] }));
    assert.match(text, /signed by +nobody knows: it was not verified\n +weakened by +--no-verify/);
  });

  it("prints nothing raw that came from files or peers", () => {
    const hostile = "evil\u001b[2J\u202e";
    const place = { source: `${hostile}.yaml`, line: 1, column: 1 };
    const pin = settled(WEB, { state: "refused", reasons: [{ code: "unsigned", message: hostile, found: hostile }] });
    const pins = [{ ...pin, mention: { ...pin.mention, place } }];
    const text = pinText(report(pins, { problems: [{ ...PROBLEM, place }] }));
    assert.doesNotMatch(text.replaceAll("\n", ""), /\p{Cc}|\u202e/u);
    const check = {
      drifts: checkPins(pins, undefined, "l"),
      problems: [{ ...PROBLEM, place }],
      pinnables: pins,
      lock: hostile,
    };
    assert.doesNotMatch(checkText(check).replaceAll("\n", ""), /\p{Cc}|\u202e/u);
  });

  it("colours states on a terminal", () => {
    const text = pinText(report(EVERY, { problems: [PROBLEM] }), ANSI);
    assert.ok(
      text.includes("\u001b[32mpinned") &&
        text.includes("\u001b[33mheld back") &&
        text.includes("\u001b[31mnot pinnable"),
    );
  });
});

describe("what pin prints as JSON", () => {
  it("fits its schema, whatever the state", () => {
    for (const mode of ["pin", "diff"] as const) {
      const document = JSON.parse(
        pinDocument(report(EVERY, { mode, diff: "--- a\n", problems: [PROBLEM], weakened: ["--no-verify"] })),
      );
      assert.deepEqual(violations(document, SCHEMA), []);
      assert.equal("diff" in document, mode === "diff");
    }
  });

  it("has image, digest, verdict and reasons for every mention; no verdict where nobody judged", () => {
    const { images } = JSON.parse(pinDocument(report(EVERY)));
    const rows = images.map((image: Record<string, unknown>) => [image["state"], image["verdict"], image["digest"]]);
    assert.deepEqual(rows, [
      ["pinned", "accepted", NEW],
      ["moved", "accepted", NEW],
      ["kept", "accepted", OLD],
      ["held", "accepted", OLD],
      ["refused", "refused", OLD],
      ["undetermined", "undetermined", null],
      ["fixed", "refused", null],
      ["kept", null, OLD],
    ]);
  });

  it("of a check fits the same schema and judges nothing", () => {
    const pinnables = [mentioned(WEB), mentioned(`${WEB}@${OLD}`)];
    const check = {
      drifts: checkPins(pinnables, lockOf(), "countersign.lock"),
      problems: [PROBLEM],
      pinnables,
      lock: "countersign.lock",
    };
    const document = JSON.parse(checkDocument(check));
    assert.deepEqual(violations(document, SCHEMA), []);
    assert.deepEqual(document.summary, { kept: 0, drift: 2, unread: 1 });
    assert.deepEqual(
      document.images.map(({ state }: { state: string }) => state),
      ["unpinned", "lock-drift"],
    );
    const clean = JSON.parse(checkDocument({ ...check, drifts: [], problems: [] }));
    assert.deepEqual(clean.images[1].verdict, null);
  });
});

describe("what a check prints", () => {
  it("is a line for each place, as editors make links of it", () => {
    const pinnables = [mentioned(WEB)];
    const check = { drifts: checkPins(pinnables, undefined, "l"), problems: [PROBLEM], pinnables, lock: "l" };
    assert.equal(
      checkText(check),
      "broken.yaml:3:1: it is no YAML [source-invalid]\n" +
        `deploy.yaml:1:1: the image is named by a tag alone: found ${WEB}, wanted a digest [unpinned]\n`,
    );
  });

  it("is one line where nothing is wrong", () => {
    const check = { drifts: [], problems: [], pinnables: [mentioned(WEB)], lock: "countersign.lock" };
    assert.equal(checkText(check), "1 image pinned, as countersign.lock says\n");
  });
});
