import {
  type Completable,
  type CompletableCommand,
  type CompletableFlag,
  everyCompletable,
  shellQuote,
} from "./tree.ts";

/** One function a command; works from `fpath` and when sourced. */
export function zshScript(root: CompletableCommand): string {
  return `#compdef ${root.name}

${everyCompletable(root).map(commandFunction).join("\n")}
if [[ $funcstack[1] == _${root.name} ]]; then _${root.name} "$@"; else compdef _${root.name} ${root.name}; fi
`;
}

function commandFunction(command: CompletableCommand): string {
  return command.children.length === 0 ? leafFunction(command) : branchFunction(command);
}

function leafFunction(command: CompletableCommand): string {
  const positions = command.arguments.map((argument, at) =>
    shellQuote(`${argument.variadic ? "*" : at + 1}${action(argument)}`),
  );
  const lines = [...command.flags.map(flagSpec), ...positions];
  return `${functionName(command)}() {
  _arguments -s${continued(lines)}
}
`;
}

function branchFunction(command: CompletableCommand): string {
  const children = command.children.map((child) => shellQuote(`${plain(child.name)}:${child.summary}`));
  const cases = command.children.map((child) => `        ${child.name}) ${functionName(child)} ;;`);
  return `${functionName(command)}() {
  local curcontext="$curcontext" state line
  local -a commands=(${children.join(" ")})
  _arguments -s -C${continued([...command.flags.map(flagSpec), "'1: :->command'", "'*:: :->rest'"])}
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${cases.join("\n")}
      esac ;;
  esac
}
`;
}

function continued(lines: readonly string[]): string {
  return lines.map((line) => ` \\\n    ${line}`).join("");
}

function functionName(command: CompletableCommand): string {
  return `_${command.path.replaceAll(/[ -]/g, "_")}`;
}

/** `'(-o --output)'{-o,--output}'[description]:value:(text json)'`, as `_arguments` wants it. */
function flagSpec({ names, description, value, repeatable }: CompletableFlag): string {
  const exclusion = repeatable ? "'*'" : shellQuote(`(${names.join(" ")})`);
  const spelled = names.length === 1 ? names.join("") : `{${names.join(",")}}`;
  return `${exclusion}${spelled}${shellQuote(`[${plain(description)}]${value === undefined ? "" : action(value)}`)}`;
}

function action(value: Completable): string {
  if (value.kind === "choice") return `:value:(${value.choices.join(" ")})`;
  return value.kind === "file" ? ":file:_files" : `:${plain(value.name)}: `;
}

/** Brackets and colons mean something to \`_arguments\`. */
function plain(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&");
}
