/** How a report is dressed. Only words of our own are styled, and only after what surrounds them was escaped. */
export interface Style {
  readonly accepted: (text: string) => string;
  readonly refused: (text: string) => string;
  readonly undetermined: (text: string) => string;
  readonly heading: (text: string) => string;
  readonly label: (text: string) => string;
}

const asIs = (text: string): string => text;

export const PLAIN: Style = { accepted: asIs, refused: asIs, undetermined: asIs, heading: asIs, label: asIs };

/** ECMA-48 "select graphic rendition": the attribute on, the text, the attribute off. */
function sgr(on: number, off: number): (text: string) => string {
  return (text) => (text === "" ? text : `\u001b[${on}m${text}\u001b[${off}m`);
}

export const ANSI: Style = {
  accepted: sgr(32, 39),
  refused: sgr(31, 39),
  undetermined: sgr(33, 39),
  heading: sgr(1, 22),
  label: sgr(2, 22),
};
