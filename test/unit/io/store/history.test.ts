import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { Audit, AuditedImage } from "../../../../src/core/audit/audit.ts";
import { parseWho, type Sighting } from "../../../../src/core/audit/signed-by.ts";
import { instant } from "../../../../src/core/time.ts";
import { AuditStore } from "../../../../src/io/store/audit-store.ts";
import { pastSightings } from "../../../../src/io/store/history.ts";
import { auditDocument } from "../../../../src/report/audit/json.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  digestFor,
  imageOf,
  politeAudit,
  refusedOf,
  SAMPLE_AT,
  useOf,
  workflowOf,
} from "../../../support/sample-audit.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const DAY = 86_400_000;
const ALICE = { ...workflowOf("acme/alice", 30 * DAY), as: "alice" };
const BOB = { ...workflowOf("acme/bob", 30 * DAY), as: "bob" };

function on(day: number, ...images: readonly AuditedImage[]): Audit {
  return { ...politeAudit(), at: instant(SAMPLE_AT + day * DAY), images, problems: [] };
}

async function storeOf(t: Parameters<typeof temporaryFolder>[0], ...audits: readonly Audit[]): Promise<string> {
  const path = join(await temporaryFolder(t), "audits.db");
  const store = await AuditStore.open(path, "audits.db", "create");
  for (const audit of audits) store.keep(audit, auditDocument(audit));
  store.close();
  return path;
}

async function past(path: string, who: string): Promise<readonly Sighting[]> {
  const store = await AuditStore.open(path, "audits.db", "existing");
  try {
    return pastSightings(store, parseWho(who), "audits.db");
  } finally {
    store.close();
  }
}

describe("what a store has seen and sees no more", () => {
  const app = (content: string, signer = ALICE) =>
    imageOf("r.example/app:1", { digest: digestFor(content), signers: [signer] });

  it("is each image and digest once, as the last run saw it that knew of it, with where it ran", async (t) => {
    const path = await storeOf(t, on(1, app("old")), on(2, app("old")), on(3, app("new")));
    const [only, ...others] = await past(path, "alice");
    assert.equal(others.length, 0);
    assert.deepEqual([only?.isCurrent, only?.at], [false, SAMPLE_AT + 2 * DAY]);
    assert.deepEqual([only?.image.digest, only?.image.signers], [digestFor("old"), [ALICE]]);
    assert.deepEqual(
      only?.image.uses.map(({ place, workload }) => [place.line, workload?.name, workload?.container]),
      [[12, "web", "app"]],
    );
  });

  it("is nothing that the last run still knows of", async (t) => {
    const path = await storeOf(t, on(1, app("same")), on(2, app("same")));
    assert.deepEqual(await past(path, "alice"), []);
  });

  it("is a signature that another one's now stands for, although the image is still in use", async (t) => {
    const path = await storeOf(t, on(1, app("same")), on(2, app("same", BOB)));
    assert.equal((await past(path, "alice")).length, 1);
    assert.deepEqual(await past(path, "bob"), []);
  });

  it("is nothing of others, and nothing by a part of a name", async (t) => {
    const path = await storeOf(t, on(1, app("old", BOB)), on(2));
    assert.deepEqual(await past(path, "alice"), []);
    assert.deepEqual(await past(path, "bo"), []);
    assert.equal((await past(path, "bob")).length, 1);
  });

  it("is told with the reasons why it was refused, where it was", async (t) => {
    const refused = refusedOf("r.example/app:1", [{ code: "scan-old", message: "old", wanted: "newer" }], {
      signers: [ALICE],
      uses: [{ as: "app", kind: "list", place: { source: "images.txt" } }, useOf("app")],
    });
    const [only] = await past(await storeOf(t, on(1, refused), on(2)), "alice");
    assert.deepEqual(
      only?.image.reasons.map(({ code, wanted }) => [code, wanted]),
      [["scan-old", "newer"]],
    );
    assert.deepEqual(
      only?.image.uses.map(({ workload }) => workload?.kind),
      [undefined, "Deployment"],
    );
  });

  it("is refused where somebody wrote what no audit says", async (t) => {
    const audits = [on(1, app("old")), on(2)];
    for (const sql of [
      "UPDATE images SET verdict = 'fine'",
      "UPDATE images SET verdict = 'refused'",
      "UPDATE images SET digest = 'sha256:short'",
      "UPDATE signers SET format = 'unknown'",
      "UPDATE signers SET signed_at = 'yesterday'",
      "UPDATE uses SET line = -1",
      "UPDATE runs SET at = '2026-02-31T00:00:00Z' WHERE id = 1",
    ]) {
      const path = await storeOf(t, ...audits);
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
      await rejectedBy(() => past(path, "alice"), "record-invalid");
    }
  });
});
