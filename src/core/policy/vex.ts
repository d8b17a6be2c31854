import { CountersignError, type Finding } from "../errors.ts";
import { parsePurl } from "../formats/scans/purl.ts";
import { foldId, type Vulnerability } from "../formats/scans/scan.ts";
import type { Digest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import { ImageVex, isAnswer } from "./vex-document.ts";
import type { SignedStatement, VulnerabilityDemands } from "./vulnerabilities.ts";

/** What somebody who is believed says of a vulnerability of the image. */
export interface VexAnswer {
  readonly signer: string;
  readonly status: "not_affected" | "fixed";
  /** The justification. */
  readonly why: string | undefined;
  readonly at: Instant;
  /** Whose later document says otherwise. It takes nothing back: whoever can delete it could hide it as well. */
  readonly contradictedBy: string | undefined;
}

/**
 * VEX documents about one image. Within a document the latest statement holds; among documents, any that answers for a
 * vulnerability does.
 */
export class Exploitability {
  /** What is wrong with documents that are not used. */
  readonly warnings: readonly Finding[];
  readonly #documents: readonly ImageVex[];

  /** @param subject the image that the statements are about. */
  constructor(statements: readonly SignedStatement[], demands: VulnerabilityDemands, subject: Digest, now: Instant) {
    const warnings: Finding[] = [];
    this.#documents = statements.flatMap((signed) => {
      try {
        return [new ImageVex(signed, demands.vexMaxAge, subject, now)];
      } catch (error) {
        if (!(error instanceof CountersignError)) throw error;
        const { code, message, found, wanted } = error;
        warnings.push({ code, message: `VEX of ${signed.signer} is not used: ${message}`, found, wanted });
        return [];
      }
    });
    this.warnings = warnings;
  }

  /** Undefined where nobody answers for it. */
  answer({ id, aliases, package: found }: Vulnerability): VexAnswer | undefined {
    const ids = [id, ...aliases].map(foldId);
    const vulnerable = parsePurl(found?.purl ?? "");
    const said = this.#documents.flatMap((document) => {
      const latest = document.latest(ids, vulnerable);
      return latest === undefined ? [] : [{ signer: document.signer, ...latest }];
    });
    const answers = said.flatMap(({ signer, status, why, at }) =>
      isAnswer(status) ? [{ signer, status, why, at }] : [],
    );
    const [first, ...others] = answers;
    if (first === undefined) return undefined;
    const newest = others.reduce((a, b) => (b.at > a.at ? b : a), first);
    const contrary = said.find(({ status, at }) => !isAnswer(status) && at > newest.at);
    return { ...newest, contradictedBy: contrary?.signer };
  }
}
