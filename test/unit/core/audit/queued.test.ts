import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuditPlan, AuditStandard } from "../../../../src/core/audit/audit.ts";
import {
  isRunId,
  jobId,
  openResult,
  openRun,
  type QueuedResult,
  QueueSecret,
  queuedRun,
  queueName,
  sealResult,
  sealRun,
} from "../../../../src/core/audit/queued.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { digestFor, imageOf, refusedOf, SAMPLE_AT } from "../../../support/sample-audit.ts";

const SECRET = new QueueSecret("0123456789abcdef0123456789abcdef");
const OTHER = new QueueSecret("0123456789abcdef0123456789abcdeg");
const IMAGE = "registry.example/acme/app:1";

const STANDARD: AuditStandard = {
  policy: { name: "policy.yaml", digest: digestFor("policy") },
  wanted: "what policy.yaml asks for",
  digest: digestFor("standard"),
  weakened: [],
};
const PLAN: AuditPlan = {
  at: SAMPLE_AT,
  sources: ["deploy"],
  items: [{ image: IMAGE, uses: [] }],
  problems: [],
  digest: digestFor("plan"),
};
const RUN = queuedRun(PLAN, STANDARD);

function resultOf(image: ReturnType<typeof imageOf>): QueuedResult {
  const { pinned, drift, uses, ...facts } = image;
  return { facts };
}

const REFUSED = resultOf(refusedOf(IMAGE, [{ code: "unsigned", message: "there is no signature", next: "sign it" }]));
const ACCEPTED = resultOf(imageOf(IMAGE));

describe("what an audit is called in a queue", () => {
  it("is the same for the same plan and standard, and another for another of either", () => {
    assert.equal(queuedRun(PLAN, STANDARD).id, RUN.id);
    assert.ok(isRunId(RUN.id));
    assert.notEqual(queuedRun({ ...PLAN, digest: digestFor("another plan") }, STANDARD).id, RUN.id);
    assert.notEqual(queuedRun(PLAN, { ...STANDARD, digest: digestFor("another standard") }).id, RUN.id);
  });

  it("is no id for a name that somebody else gave", () => {
    for (const name of ["", "1", "../../1", RUN.id.slice(1), `${RUN.id}0`, RUN.id.toUpperCase().replace(/\d/g, "A")]) {
      assert.equal(isRunId(name), false, name);
    }
  });

  it("has one queue for each registry, whatever the images are", () => {
    const queue = (image: string): string => queueName(RUN.id, image);
    assert.equal(queue(IMAGE), queue("registry.example/other/team:2"));
    assert.notEqual(queue(IMAGE), queue("registry.example:5000/acme/app:1"));
    assert.notEqual(queue(IMAGE), queueName(RUN.id.replace(/./g, "0"), IMAGE));
  });

  it("keeps registries apart that are written alike without what a name may not hold", () => {
    const names = ["[2001:db8::1]:5000", "[2001:db8:1::]:5000", "127.0.0.1:5000", "localhost:5000", "localhost:50"].map(
      (registry) => queueName(RUN.id, `${registry}/app:1`),
    );
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^[0-9A-Za-z._-]+$/);
  });

  it("bounds the name of a queue", () => {
    const long = `${"a".repeat(60)}.${"b".repeat(60)}.example`;
    assert.ok(queueName(RUN.id, `${long}/app:1`).length < 150);
  });

  it("gives every image an id that is no number and holds no colon", () => {
    assert.match(jobId(IMAGE), /^image-[0-9a-f]{64}$/);
    assert.notEqual(jobId(IMAGE), jobId(`${IMAGE}0`));
  });
});

describe("a secret", () => {
  it("that is short could be guessed", () => {
    const error = thrownBy(() => new QueueSecret("correct horse battery"), "configuration-invalid");
    assert.doesNotMatch(JSON.stringify(error), /horse/);
  });

  it("opens nothing that is no sealed text", () => {
    for (const text of ["", ".", "..", "{}", ".{}", `${"A".repeat(43)}.{}`]) {
      assert.equal(SECRET.open(["run", RUN.id], text), undefined, text);
    }
  });

  it("keeps the parts of a purpose apart", () => {
    const sealed = SECRET.seal(["result", "a", "b"], "text");
    assert.equal(SECRET.open(["result", "a", "b"], sealed), "text");
    for (const purpose of [
      ["result", "ab"],
      ["result", "a,b"],
      ["resulta", "b"],
      ["result", "a", "b", ""],
    ]) {
      assert.equal(SECRET.open(purpose, sealed), undefined, purpose.join());
    }
  });
});

describe("an audit in a queue", () => {
  it("is read as it was sealed, its time to the millisecond", () => {
    const run = { ...RUN, at: instant(SAMPLE_AT + 123) };
    assert.deepEqual(openRun(run.id, sealRun(run, SECRET), SECRET), run);
  });

  it("is refused with another secret", () => {
    const error = thrownBy(() => openRun(RUN.id, sealRun(RUN, SECRET), OTHER), "record-invalid");
    assert.match(error.wanted ?? "", /COUNTERSIGN_QUEUE_SECRET/);
  });

  it("is refused where one character was changed", () => {
    const sealed = sealRun(RUN, SECRET);
    for (const at of [0, 20, 44, sealed.indexOf("standard"), sealed.length - 1]) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === "a" ? "b" : "a"}${sealed.slice(at + 1)}`;
      thrownBy(() => openRun(RUN.id, changed, SECRET), "record-invalid");
    }
  });

  it("is refused under the name of another", () => {
    const id = queuedRun({ ...PLAN, digest: digestFor("yesterday") }, STANDARD).id;
    thrownBy(() => openRun(id, sealRun(RUN, SECRET), SECRET), "record-invalid");
  });

  it("is refused where a machine of another version sealed something else", () => {
    for (const text of ["[]", "{}", '{"at":"2026-01-01T00:00:00Z"}', "at"]) {
      thrownBy(() => openRun(RUN.id, SECRET.seal(["run", RUN.id], text), SECRET), "record-invalid");
    }
  });

  it("is not read where it is larger than agreed", () => {
    thrownBy(() => openRun(RUN.id, "a".repeat(LIMITS.queueRunBytes + 1), SECRET), "limit-reached");
  });
});

describe("a result in a queue", () => {
  const open = (sealed: string, image = IMAGE, run = RUN.id) => openResult(run, image, sealed, SECRET);

  it("is read as it was sealed", () => {
    assert.deepEqual(open(sealResult(RUN.id, IMAGE, ACCEPTED, SECRET)), ACCEPTED);
    const error = { error: { code: "policy-invalid", message: "no such key", next: "correct it" } } as const;
    assert.deepEqual(open(sealResult(RUN.id, IMAGE, error, SECRET)), error);
  });

  it("that accepts is refused from whoever has not the secret", () => {
    thrownBy(() => open(sealResult(RUN.id, IMAGE, ACCEPTED, OTHER)), "record-invalid");
    const [, text = ""] = /\.(.*)/.exec(sealResult(RUN.id, IMAGE, ACCEPTED, OTHER)) ?? [];
    const [seal = ""] = sealResult(RUN.id, IMAGE, REFUSED, SECRET).split(".");
    for (const forged of [text, `.${text}`, `${seal}.${text}`]) thrownBy(() => open(forged), "record-invalid");
  });

  it("of another image, or of yesterday's audit, is refused", () => {
    const sealed = sealResult(RUN.id, IMAGE, ACCEPTED, SECRET);
    thrownBy(() => open(sealed, "registry.example/acme/app:2"), "record-invalid");
    thrownBy(() => open(sealed, IMAGE, RUN.id.replace(/./g, "0")), "record-invalid");
  });

  it("whose facts are of another image than it is sealed for is refused", () => {
    const sealed = sealResult(RUN.id, "registry.example/acme/app:2", ACCEPTED, SECRET);
    thrownBy(() => open(sealed, "registry.example/acme/app:2"), "record-invalid");
  });

  it("is refused where a machine of another version sealed something else", () => {
    const { facts } = ACCEPTED as { facts: object };
    const texts = ["", "{}", '{"facts":{}}', '{"error":"no"}', JSON.stringify({ facts: { ...facts, trusted: true } })];
    for (const text of [...texts, JSON.stringify({ facts, error: null })]) {
      thrownBy(() => open(SECRET.seal(["result", RUN.id, IMAGE], text)), "record-invalid");
    }
  });

  it("is not read where it is larger than agreed", () => {
    thrownBy(() => open("a".repeat(LIMITS.queueResultBytes + 1)), "limit-reached");
  });
});
