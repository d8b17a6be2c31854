import { CountersignError } from "../errors.ts";
import type { DctFile } from "./roles.ts";
import type { DctRepository } from "./verify.ts";

/**
 * Refuses data that is older than what was verified here before: role by role, no version may go back.
 *
 * @throws CountersignError `rollback`, `forked`.
 */
export function requireNotOlder(found: DctRepository, before: DctRepository): void {
  for (const role of ["root", "targets"] as const) compare(role, found[role], before[role]);
  for (const role of ["timestamp", "snapshot"] as const) {
    const [now, then] = [found.listings?.[role], before.listings?.[role]];
    if (now !== undefined && then !== undefined) compare(role, now, then);
  }
  for (const { name, file } of before.delegations) {
    const now = found.delegations.find((delegation) => delegation.name === name)?.file;
    if (file !== undefined && now !== undefined) compare(name, now, file);
  }
}

function compare(role: string, found: DctFile<unknown>, before: DctFile<unknown>): void {
  const particulars = { found: `version ${found.version}`, next: "treat the Notary server as tampered with" };
  if (found.version < before.version) {
    throw new CountersignError(
      "rollback",
      `a rollback: ${role} of the Notary server is older than what Docker had here`,
      {
        ...particulars,
        wanted: `version ${before.version} or a later one`,
      },
    );
  }
  // Only what is signed counts: ECDSA signs the same in many ways.
  const isSame = JSON.stringify(found.signed) === JSON.stringify(before.signed);
  if (found.version > before.version || isSame) return;
  throw new CountersignError("forked", `there are two different files of ${role} under one version`, {
    ...particulars,
    wanted: "one file",
  });
}
