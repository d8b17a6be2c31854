/**
 * The part of the package pkcs11js that is used here. It is installed only by those who have a token, so its own types
 * are not there to be read. Every function throws an Error with the numeric `code` of PKCS #11 (CKR_…) and the `method`.
 */
declare module "pkcs11js" {
  /** An opaque CK_ULONG. */
  type Handle = Buffer;

  interface Attribute {
    readonly type: number;
    readonly value?: number | boolean | string | Buffer;
  }

  interface TokenInfo {
    /** These four are padded with blanks. */
    readonly label: string;
    readonly manufacturerID: string;
    readonly model: string;
    readonly serialNumber: string;
    readonly flags: number;
  }

  export class PKCS11 {
    load(path: string): void;
    C_Initialize(): void;
    C_Finalize(): void;
    C_GetSlotList(tokenPresent: boolean): Handle[];
    C_GetTokenInfo(slot: Handle): TokenInfo;
    C_GetMechanismList(slot: Handle): number[];
    C_OpenSession(slot: Handle, flags: number): Handle;
    C_CloseSession(session: Handle): void;
    C_Login(session: Handle, userType: number, pin?: string): void;
    C_Logout(session: Handle): void;
    C_FindObjectsInit(session: Handle, template: Attribute[]): void;
    C_FindObjects(session: Handle, maxObjectCount: number): Handle[];
    C_FindObjectsFinal(session: Handle): void;
    C_GetAttributeValue(session: Handle, object: Handle, template: Attribute[]): { type: number; value: Buffer }[];
    C_SignInit(session: Handle, mechanism: { mechanism: number }, key: Handle): void;
    C_Sign(session: Handle, data: Buffer, signature: Buffer): Buffer;
  }
}
