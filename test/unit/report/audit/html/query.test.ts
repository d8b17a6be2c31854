import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pageData } from "../../../../../src/report/audit/html/data.ts";
import {
  AGES,
  EVERYTHING,
  formatQuery,
  parseQuery,
  type Query,
  searcher,
} from "../../../../../src/report/audit/html/query.ts";
import { imageOf, politeAudit } from "../../../../support/sample-audit.ts";

const data = pageData(politeAudit(), {});
const search = searcher(data);
const find = (query: Partial<Query>) => search({ ...EVERYTHING, ...query }).map(({ image }) => image);

describe("what the page's filters find", () => {
  it("is nothing where a word is nowhere, and everything where nothing is asked", () => {
    assert.deepEqual(find({ q: "nowhere-at-all" }), []);
    assert.equal(find({}).length, data.images.length);
    assert.deepEqual(find({ verdict: "refused", pinning: "pinned" }), []);
    assert.deepEqual(find({ owner: "team" }), []);
  });

  it("has all words, in any case, anywhere in what is known", () => {
    assert.deepEqual(find({ q: "NGINX edge-0" }), ["docker.io/library/nginx:1.27"]);
    assert.deepEqual(find({ q: "policy.yaml:14" }), ["registry.example/acme/app:1.4.3"]);
    assert.deepEqual(find({ q: "cronjob nightly wrong-identity" }), ["registry.example/acme/app:1.4.3"]);
    assert.ok(find({ q: "release.pub" }).length > 1);
  });

  it("is by verdict, reason, owner, pin and age", () => {
    assert.equal(find({ verdict: "undetermined" }).length, 3);
    assert.equal(find({ reason: "unsigned" }).length, 3);
    assert.equal(find({ owner: "namespace edge" }).length, 3);
    assert.equal(find({ pinning: "moved" }).length, 1);
    assert.equal(find({ age: "unknown" }).length, 6);
    const counted = AGES.map((_, at) => find({ age: String(at) }).length);
    assert.equal(
      counted.reduce((a, b) => a + b),
      43 - 6,
    );
  });

  it("counts a signature of the future as new", () => {
    const image = imageOf("a.example/b:1");
    const signers = image.signers.map((signer) => ({ ...signer, signedAt: politeAudit().at }));
    const future = pageData(
      politeAudit({ at: image.signers[0]?.signedAt ?? politeAudit().at, images: [{ ...image, signers }] }),
      {},
    );
    assert.equal(searcher(future)({ ...EVERYTHING, age: "0" }).length, 1);
  });
});

describe("how the page sorts", () => {
  it("puts first what is urgent, until somebody asks for something else", () => {
    assert.equal(find({})[0], "registry.example/acme/app:1.4.3");
    assert.equal(find({ order: "desc" }).at(-1), "registry.example/acme/app:1.4.3");
    for (const sort of ["made-up", "constructor", "__proto__"]) assert.deepEqual(find({ sort }), find({}));
  });

  it("is by each column, and back", () => {
    const names = find({ sort: "image" });
    assert.deepEqual(names, names.toSorted());
    assert.deepEqual(find({ sort: "image", order: "desc" }), names.toReversed());
    assert.equal(find({ sort: "pinning" })[0]?.startsWith("registry.example/acme/api:2.1@"), true);
    assert.equal(find({ sort: "uses" })[0], "registry.example/acme/app:1.4.3");
    const times = search({ ...EVERYTHING, sort: "signed" }).flatMap(({ signedAt }) => signedAt ?? []);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
  });
});

describe("the addresses of filtered pages", () => {
  it("come back as they were", () => {
    const query = { ...EVERYTHING, q: "a&b=c #d é", owner: "team-shop", sort: "image", order: "desc" };
    assert.deepEqual(parseQuery(formatQuery(query)), query);
  });

  it("are empty for everything, and everything for a section or nonsense", () => {
    assert.equal(formatQuery(EVERYTHING), "");
    for (const hash of ["", "#", "#images", "#made-up=1", "#%"]) assert.deepEqual(parseQuery(hash), EVERYTHING);
  });
});
