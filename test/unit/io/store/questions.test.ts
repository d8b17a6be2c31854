import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import type { Audit, AuditedImage } from "../../../../src/core/audit/audit.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { type Instant, instant } from "../../../../src/core/time.ts";
import { AuditStore } from "../../../../src/io/store/audit-store.ts";
import { auditDocument } from "../../../../src/report/audit/json.ts";
import {
  digestFor,
  imageOf,
  politeAudit,
  refusedOf,
  undeterminedOf,
  useOf,
  workflowOf,
} from "../../../support/sample-audit.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const DOCUMENT = readFileSync(new URL("../../../../docs/audits.md", import.meta.url), "utf8");
const EXAMPLES = [...DOCUMENT.matchAll(/^(.+)\n\n```sql\n([^`]+)```$/gm)].map(([, title = "", sql = ""]) => ({
  title,
  sql,
}));

const folder = temporaryFolder({ after });
const DAY = 86_400_000;
/** The examples ask as of now. */
const NOW = Math.floor(Date.now() / 1000) * 1000;

function daysAgo(days: number): Instant {
  return instant(NOW - days * DAY);
}

const WEB = "registry.example/acme/web:1";
const CONTENT = `sha256:9f2c41${"0".repeat(58)}` as Digest;
const UNSIGNED = { code: "unsigned", message: "not signed" } as const;
const SIGNED = { ...workflowOf("acme/web", 0), signedAt: daysAgo(500) };

function run(days: number, policy: string, images: readonly AuditedImage[]): Audit {
  const standard = { ...politeAudit().standard, policy: { name: "policy.yaml", digest: digestFor(policy) } };
  return { ...politeAudit(), at: daysAgo(days), standard, images, problems: [] };
}

/** web is signed, then replaced; db was accepted once, is unsigned since, and could not be looked at in between. */
const RUNS: readonly Audit[] = [
  run(400, "first", [imageOf(WEB, { digest: CONTENT, signers: [SIGNED] }), imageOf("registry.example/acme/db:1")]),
  run(60, "second", [imageOf(WEB, { signers: [SIGNED] }), refusedOf("registry.example/acme/db:1", [UNSIGNED])]),
  run(30, "second", [
    imageOf(WEB, { signers: [SIGNED] }),
    undeterminedOf("registry.example/acme/db:1", [{ code: "throttled", message: "later" }]),
  ]),
  run(1, "second", [
    imageOf(WEB, { signers: [SIGNED], scannedAt: daysAgo(90) }),
    refusedOf("registry.example/acme/db:1", [UNSIGNED], {
      uses: [useOf("db", { name: "one" }), useOf("db", { name: "two" })],
    }),
    undeterminedOf("quay.example/data/etl:3", [{ code: "throttled", message: "later" }]),
    imageOf(`registry.example/acme/api:1@${digestFor("api")}`, {
      digest: digestFor("api"),
      drift: true,
      tagDigest: digestFor("other"),
    }),
  ]),
];

describe("questions to a store of audits", () => {
  let path = "";

  before(async () => {
    path = join(await folder, "audits.db");
    const store = await AuditStore.open(path, "audits.db", "create");
    for (const audit of RUNS) store.keep(audit, auditDocument(audit));
    store.close();
  });

  function ask(sql: string): readonly Readonly<Record<string, unknown>>[] {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      return database
        .prepare(sql)
        .all()
        .map((row) => ({ ...row }));
    } finally {
      database.close();
    }
  }

  const day = (days: number) => new Date(daysAgo(days)).toISOString().replace(".000Z", "Z");

  it("stand in docs/audits.md", () => assert.ok(EXAMPLES.length > 10));

  for (const { title, sql } of EXAMPLES.filter((example) => example.sql.startsWith("SELECT"))) {
    it(`are answered: ${title}`, () => {
      const rows = ask(sql);
      assert.ok(rows.length > 0);
      for (const row of rows) for (const value of Object.values(row)) assert.notEqual(value, undefined);
    });
  }

  it("know since when something is refused and unsigned, over a run that could not look", () => {
    const since = [{ image: "registry.example/acme/db:1", since: day(60) }];
    assert.deepEqual(ask("SELECT image, since FROM refused_since"), since);
    assert.deepEqual(ask("SELECT image, since FROM unsigned_since"), since);
  });

  it("know what a tag stood for", () => {
    assert.deepEqual(
      ask("SELECT digest, first_seen, last_seen FROM signed WHERE repository = 'registry.example/acme/web' ORDER BY 2"),
      [
        { digest: CONTENT, first_seen: day(400), last_seen: day(400) },
        { digest: digestFor(WEB), first_seen: day(60), last_seen: day(1) },
      ],
    );
  });

  it("count a workload once for its owner", () => {
    const [example] = EXAMPLES.filter(({ title }) => title === "Whose workloads would stop?");
    assert.deepEqual(ask(example?.sql ?? ""), [{ owner: "team-shop", workloads: 2, images: 1, reasons: "unsigned" }]);
  });

  it("know what drifted", () => {
    assert.deepEqual(ask("SELECT digest, tag_digest FROM drift"), [
      { digest: digestFor("api"), tag_digest: digestFor("other") },
    ]);
  });

  it("are asked of what is left when old runs are forgotten: nothing of them stays behind", () => {
    const [forget] = EXAMPLES.filter(({ sql }) => sql.includes("DELETE"));
    const database = new DatabaseSync(path);
    database.exec(forget?.sql ?? "");
    database.close();
    assert.deepEqual(ask("SELECT count(*) AS runs FROM runs"), [{ runs: 3 }]);
    assert.deepEqual(ask("SELECT count(*) AS images FROM images WHERE run NOT IN (SELECT id FROM runs)"), [
      { images: 0 },
    ]);
    assert.deepEqual(ask("SELECT count(*) AS uses FROM uses WHERE image NOT IN (SELECT id FROM images)"), [
      { uses: 0 },
    ]);
  });
});
