/** Keeps audits in a store, one after the other, until it is done or killed: `keeper.ts STORE FIRST COUNT IMAGES`. */
import { AuditStore } from "../../../../src/io/store/audit-store.ts";
import { auditDocument } from "../../../../src/report/audit/json.ts";
import { laterAudit } from "./later-audit.ts";

const [path = "", ...numbers] = process.argv.slice(2);
const [first = 0, count = 0, images = 0] = numbers.map(Number);
for (let at = first; at < first + count; at++) {
  const audit = laterAudit(at, images);
  const store = await AuditStore.open(path, "audits.db", "create");
  process.stdout.write("keeping\n");
  store.keep(audit, auditDocument(audit));
  store.close();
  process.stdout.write("kept\n");
}
