/**
 * What the page's script is given, as JSON. Texts are printable already; what many images share stands once, in the lists,
 * and is named by its index. Members that would be empty are left out: 20,000 images are a page of some megabytes.
 */
export interface PageData {
  /** The reference time, in milliseconds since the epoch. */
  readonly at: number;
  /** What needs action first. */
  readonly images: readonly PageImage[];
  readonly findings: readonly PageFinding[];
  readonly signers: readonly PageSigner[];
  readonly owners: readonly string[];
  /** Rules, and what was checked and what not. */
  readonly texts: readonly string[];
}

export type PageVerdict = "accepted" | "refused" | "undetermined";
export type PagePinning = "pinned" | "unpinned" | "moved";

export interface PageImage {
  readonly image: string;
  readonly digest?: string | undefined;
  readonly verdict: PageVerdict;
  readonly pinning: PagePinning;
  /** The code of the reason that decided. */
  readonly code?: string | undefined;
  readonly reasons?: readonly number[] | undefined;
  readonly warnings?: readonly number[] | undefined;
  /** Who, and when, where that is proven. */
  readonly signers?: readonly (readonly [signer: number, signedAt?: number | undefined])[] | undefined;
  /** When the newest accepted signature was made. */
  readonly signedAt?: number | undefined;
  readonly because?: number | undefined;
  readonly rule?: number | undefined;
  readonly checked?: number | undefined;
  readonly notChecked?: number | undefined;
  /** What the tag names now, where that is another digest. */
  readonly tagDigest?: string | undefined;
  readonly tagFinding?: number | undefined;
  readonly scannedAt?: number | undefined;
  readonly uses: readonly PageUse[];
}

export interface PageFinding {
  readonly code: string;
  readonly message: string;
  readonly found?: string | undefined;
  readonly wanted?: string | undefined;
  readonly place?: string | undefined;
  readonly next: string;
}

export interface PageSigner {
  readonly name: string;
  readonly id: string;
  readonly format: string;
}

export interface PageUse {
  /** `deploy/web.yaml:12:16`. */
  readonly at: string;
  /** `Deployment shop/web, container app`. */
  readonly what?: string | undefined;
  readonly owner: number;
  /** As it is written there, where that is another text than the image. */
  readonly as?: string | undefined;
  /** Where the file is shown. */
  readonly link?: string | undefined;
}
