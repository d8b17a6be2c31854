import { formatDocument } from "./json.ts";

/** What a worker has done when it ends. */
export interface WorkerReport {
  readonly audits: number;
  readonly images: number;
}

/** docs/schemas/audit-worker.json. */
export function workerDocument({ audits, images }: WorkerReport): string {
  return formatDocument("audit worker", { audits, images });
}

export function workerText({ audits, images }: WorkerReport): string {
  return `${counted(images, "image")} examined for ${counted(audits, "audit")}\n`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
