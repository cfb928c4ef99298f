/**
 * Writes command lines in the syntax of systemd: https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
 * @module
 */

/** An argument as it stands in `ExecStart=`: variables are expanded there even when no shell is near. */
export function withoutExpansion(argument: string): string {
  return argument.replaceAll("$", "$$$$");
}

/** A whole command line as the value of `ExecStop=` and the like, each argument quoted. */
export function execLine(argv: readonly string[]): string {
  return argv.map((argument) => quoted(withoutExpansion(argument))).join(" ");
}

function quoted(argument: string): string {
  return `"${argument.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
