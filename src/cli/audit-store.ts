import { resolve } from "node:path";
import type { Audit } from "../core/audit/audit.ts";
import { AuditStore } from "../io/store/audit-store.ts";
import { auditDocument } from "../report/audit/json.ts";
import type { Context } from "./context.ts";

type Place = Pick<Context, "workingDirectory">;

/** Before anything is looked at: hours of work are not to end at a store that cannot be used. Makes it where there is none. */
export async function checkStore(place: Place, file: string): Promise<void> {
  (await openStore(place, file, "create")).close();
}

/** Keeps an audit in the store that `--store` names; the answer is whether it was not in there yet. */
export async function keepAudit(place: Place, file: string, audit: Audit): Promise<boolean> {
  return await withStore(place, file, "create", (store) => store.keep(audit, auditDocument(audit)));
}

/** Asks a store that has to be there. */
export async function askStore<Answer>(
  place: Place,
  file: string,
  question: (store: AuditStore) => Answer,
): Promise<Answer> {
  return await withStore(place, file, "existing", question);
}

async function withStore<Answer>(
  place: Place,
  file: string,
  mode: "create" | "existing",
  work: (store: AuditStore) => Answer,
): Promise<Answer> {
  const store = await openStore(place, file, mode);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

async function openStore({ workingDirectory }: Place, file: string, mode: "create" | "existing"): Promise<AuditStore> {
  return await AuditStore.open(resolve(workingDirectory, file), file, mode);
}
