import { printable } from "../../core/printable.ts";
import type { RootPin } from "../../core/tags/pin.ts";
import { formatInstant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import { formatDocument } from "../json.ts";
import { PLAIN, type Style } from "../style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "../text.ts";
import { pinMember } from "./members.ts";
import { describePin } from "./words.ts";

/** What `trust pin` did to the file of pins, and what is in it. */
export interface PinsReport {
  readonly file: string;
  readonly change: "pinned" | "removed" | "unchanged" | undefined;
  /** All of them where nothing was changed, else the one that was. */
  readonly pins: readonly RootPin[];
  /** By the mirror's name. */
  readonly mirrors: Readonly<Record<string, string>>;
}

export function pinsText({ file, change, pins, mirrors }: PinsReport, style: Style = PLAIN): string {
  if (pins.length === 0 && Object.keys(mirrors).length === 0) return `no roots are pinned in ${printable(file)}\n`;
  const blocks = pins.map((pin) => pinText(pin, change, style));
  const others = Object.entries(mirrors).map(([mirror, origin]) =>
    formatBlock(`${style.heading("mirror".padEnd(HEADING_WIDTH))}${printable(mirror)}`, [["of", origin]], style),
  );
  return `${[...blocks, ...others].join("\n")}\n${countLine(file, change, pins.length)}\n`;
}

function countLine(file: string, change: PinsReport["change"], count: number): string {
  const written = change === "pinned" || change === "removed";
  return printable(written ? `${file} written` : `${plural(count, "root")} pinned in ${file}`);
}

/** Every id in full: they are there to be compared with what the publisher says elsewhere. */
function pinText(pin: RootPin, change: PinsReport["change"], style: Style): string {
  const heading = `${style.accepted((change ?? "pinned").padEnd(HEADING_WIDTH))}${printable(pin.gun)}`;
  const rows: readonly Row[] = [
    ["root", describePin(pin)],
    ...(pin.location === undefined ? [] : [["kept in", pin.location] as const]),
    ...pin.rootKeyIds.map((id): Row => ["root key", id]),
    ["have to sign", plural(pin.threshold, "key")],
    ["since", formatInstant(pin.firstSeen)],
  ];
  return formatBlock(heading, rows, style);
}

/** docs/schemas/trust-pin.json. */
export function pinsDocument({ file, change, pins, mirrors }: PinsReport): string {
  return formatDocument("trust pin", {
    file,
    change: change ?? null,
    pins: pins.map(pinMember),
    mirrors,
  });
}
