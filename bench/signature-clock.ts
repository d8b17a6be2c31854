import crypto, { KeyObject, X509Certificate } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

/** Signature verifications since it was started. */
export interface Reading {
  /** Of every kind. */
  readonly verifications: number;
  /** In those by ECDSA, with the hash of what was signed, in milliseconds. */
  readonly ecdsaMs: number;
}

export interface SignatureClock {
  read(): Reading;
  reset(): void;
  stop(): void;
}

type Verify = (this: unknown, ...args: unknown[]) => unknown;

/** Times every signature that this process verifies through Node, until it is stopped. */
export function startSignatureClock(): SignatureClock {
  let verifications = 0;
  let ecdsaMs = 0;
  const timed = (verify: Verify, keyAt: number): Verify =>
    function (this: unknown, ...args) {
      const started = performance.now();
      try {
        return verify.apply(this, args);
      } finally {
        const ms = performance.now() - started;
        verifications += 1;
        if (isEcdsa(args[keyAt])) ecdsaMs += ms;
      }
    };
  const restores = [
    replace(crypto, (verify) => timed(verify, 2)),
    replace(X509Certificate.prototype, (v) => timed(v, 0)),
  ];
  const reset = () => {
    verifications = 0;
    ecdsaMs = 0;
  };
  const stop = () => {
    for (const restore of restores) restore();
  };
  return { read: () => ({ verifications, ecdsaMs }), reset, stop };
}

/** Puts another `verify` in its place, for those too who have imported it by name. @returns what undoes it. */
function replace(holder: { verify: unknown }, make: (verify: Verify) => Verify): () => void {
  const { verify } = holder;
  const put = (value: unknown) => {
    Object.assign(holder, { verify: value });
    syncBuiltinESMExports();
  };
  put(make(verify as Verify));
  return () => put(verify);
}

/** `key`, or what holds it beside how the signature is encoded. */
function isEcdsa(key: unknown): boolean {
  if (key instanceof KeyObject) return key.asymmetricKeyType === "ec";
  return typeof key === "object" && key !== null && "key" in key && isEcdsa(key.key);
}
