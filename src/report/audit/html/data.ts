import type { Audit, AuditedImage, AuditedSigner, Use } from "../../../core/audit/audit.ts";
import { describeOwner, ownerOf } from "../../../core/audit/breaks.ts";
import type { Finding } from "../../../core/errors.ts";
import { formatName, nextStep } from "../../../core/explain.ts";
import { printable } from "../../../core/printable.ts";
import { placeName } from "../../../core/sources/mention.ts";
import { fileLink } from "../files.ts";
import type { AuditReportOptions } from "../options.ts";
import { decidingCode, newestSignature, signerName, urgentFirst, workloadName } from "../view.ts";
import type { PageData, PageFinding, PageImage, PageSigner, PageUse } from "./page-data.ts";

type Options = Pick<AuditReportOptions, "files">;

/** What the page's script needs of an audit. */
export function pageData(audit: Audit, options: Options): PageData {
  const shared = new Shared();
  const images = urgentFirst(audit.images).map((image) => pageImage(image, shared, options));
  return { at: audit.at, images, ...shared.lists() };
}

/**
 * JSON in a script element that is no script: `<` is escaped, so that no text ends the element or begins a comment in it
 * (HTML, 4.12.1.3 "Restrictions for contents of script elements").
 */
export function embeddedJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Each thing that several images share, once. */
class Shared {
  readonly #findings = new Pool<PageFinding>();
  readonly #signers = new Pool<PageSigner>();
  readonly #owners = new Pool<string>();
  readonly #texts = new Pool<string>();

  finding(finding: Finding): number {
    const { code, message, found, wanted, place } = finding;
    return this.#findings.add({
      code,
      message: printable(message),
      found: printableOrNone(found),
      wanted: printableOrNone(wanted),
      place: printableOrNone(place),
      next: printable(nextStep(finding)),
    });
  }

  signer(signer: AuditedSigner): number {
    const { id, format } = signer;
    return this.#signers.add({ name: printable(signerName(signer)), id: printable(id), format: formatName(format) });
  }

  owner(use: Use): number {
    return this.#owners.add(printable(describeOwner(ownerOf(use))));
  }

  text(text: string | undefined): number | undefined {
    return text === undefined || text === "" ? undefined : this.#texts.add(printable(text));
  }

  lists(): Pick<PageData, "findings" | "signers" | "owners" | "texts"> {
    return {
      findings: this.#findings.items(),
      signers: this.#signers.items(),
      owners: this.#owners.items(),
      texts: this.#texts.items(),
    };
  }
}

class Pool<Item> {
  readonly #indexes = new Map<string, number>();
  readonly #items: Item[] = [];

  add(item: Item): number {
    const key = JSON.stringify(item);
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    this.#indexes.set(key, this.#items.length);
    return this.#items.push(item) - 1;
  }

  items(): readonly Item[] {
    return this.#items;
  }
}

function pageImage(image: AuditedImage, shared: Shared, options: Options): PageImage {
  const { rule } = image;
  return {
    image: printable(image.image),
    digest: image.digest,
    verdict: image.verdict,
    pinning: image.drift ? "moved" : image.pinned ? "pinned" : "unpinned",
    code: decidingCode(image),
    reasons: someOf(image.reasons.map((finding) => shared.finding(finding))),
    warnings: someOf(image.warnings.map((finding) => shared.finding(finding))),
    signers: someOf(image.signers.map((signer) => signerAt(shared.signer(signer), signer.signedAt))),
    signedAt: newestSignature(image.signers),
    because: shared.text(image.because),
    rule: shared.text(rule === undefined ? undefined : [rule.place, rule.name].filter(Boolean).join(" ")),
    checked: shared.text(image.checked.join(", ")),
    notChecked: shared.text(image.notChecked.join(", ")),
    tagDigest: image.drift ? image.tagDigest : undefined,
    tagFinding: image.tagFinding === undefined ? undefined : shared.finding(image.tagFinding),
    scannedAt: image.scannedAt,
    uses: image.uses.map((use) => pageUse(use, image, shared, options)),
  };
}

function pageUse(use: Use, image: AuditedImage, shared: Shared, { files }: Options): PageUse {
  const { place, workload } = use;
  return {
    at: printable(placeName(place)),
    what: workload === undefined ? undefined : printable(workloadName(workload)),
    owner: shared.owner(use),
    as: use.as === image.image ? undefined : printable(use.as),
    link: fileLink(files, place),
  };
}

/** An element that is undefined would be written as null. */
function signerAt(index: number, signedAt: number | undefined): readonly [number, number?] {
  return signedAt === undefined ? [index] : [index, signedAt];
}

function someOf<Item>(items: readonly Item[]): readonly Item[] | undefined {
  return items.length === 0 ? undefined : items;
}

function printableOrNone(text: string | undefined): string | undefined {
  return text === undefined ? undefined : printable(text);
}
