import type { ReasonClass } from "../core/reasons.ts";

/** Exit codes are part of the contract (`countersign help exit-codes`); scripts rely on them. */
export const EXIT_CODES = {
  done: 0,
  refused: 1,
  usage: 2,
  undetermined: 3,
  credentials: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

const OF_CLASS: Readonly<Record<ReasonClass, ExitCode>> = {
  refused: EXIT_CODES.refused,
  undetermined: EXIT_CODES.undetermined,
  usage: EXIT_CODES.usage,
  credentials: EXIT_CODES.credentials,
  interrupted: EXIT_CODES.interrupted,
};

export function exitCodeOf(reason: ReasonClass): ExitCode {
  return OF_CLASS[reason];
}
