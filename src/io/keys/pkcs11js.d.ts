/**
 * The package pkcs11js is installed only by those who have a token, so its own types are not always there to be read.
 * Its functions throw an Error with the numeric `code` of PKCS #11 (CKR_…) and the `method`.
 */
declare module "pkcs11js" {
  export const PKCS11: new () => import("./cryptoki.ts").Cryptoki & { load(path: string): void };
}
