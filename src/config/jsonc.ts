/**
 * Reads JSON with comments and trailing commas.
 *
 * Bun has such a parser and Deno has none, and neither refuses a key that stands twice, where one of two contradicting
 * values would win in silence. So there is one parser for both, strict in all else: https://www.rfc-editor.org/rfc/rfc8259
 *
 * A key named `__proto__` becomes an ordinary property. Errors show no part of the text but keys: a secret may stand in it.
 * @module
 */

import { shownKey } from "./secrets.ts";

/** The text is not JSONC. The message ends with the place, as `line 3, column 7`. */
export class JsoncError extends Error {
  override readonly name = "JsoncError";
}

/** Deeper nesting is refused, since a parser that calls itself must not exhaust the stack. */
export const DEPTH_MAX = 64;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_$][\w$]*/y;
const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
]);

/** @throws {JsoncError} when `text` is not one JSON value with nothing but space and comments around it */
export function parseJsonc(text: string): unknown {
  return new Parser(text).document();
}

class Parser {
  private readonly text: string;
  private position = 0;

  constructor(text: string) {
    this.text = text;
  }

  document(): unknown {
    const value = this.value(0);
    this.skipSpace();
    if (this.position < this.text.length) this.fail("nothing may follow the value");
    return value;
  }

  private value(depth: number): unknown {
    this.skipSpace();
    const first = this.text[this.position];
    switch (first) {
      case undefined:
        return this.fail("a value is missing");
      case "{":
        return this.object(depth + 1);
      case "[":
        return this.array(depth + 1);
      case '"':
        return this.string();
      default:
        return this.scalar();
    }
  }

  private object(depth: number): Record<string, unknown> {
    this.enter(depth);
    const found: Record<string, unknown> = {};
    while (!this.take("}")) {
      const keyAt = this.position;
      if (this.text[keyAt] !== '"') this.fail("a key in double quotes or } is missing");
      const key = this.string();
      if (Object.hasOwn(found, key)) this.fail(`the key ${JSON.stringify(shownKey(key))} stands twice`, keyAt);
      if (!this.take(":")) this.fail("a colon is missing");
      const value = this.value(depth);
      // An assignment to `__proto__` would set the object's prototype.
      Object.defineProperty(found, key, { value, enumerable: true, configurable: true, writable: true });
      if (!this.take(",") && this.peek() !== "}") this.fail("a comma or } is missing");
    }
    return found;
  }

  private array(depth: number): unknown[] {
    this.enter(depth);
    const found: unknown[] = [];
    while (!this.take("]")) {
      found.push(this.value(depth));
      if (!this.take(",") && this.peek() !== "]") this.fail("a comma or ] is missing");
    }
    return found;
  }

  private enter(depth: number): void {
    if (depth > DEPTH_MAX) this.fail(`nesting is limited to ${DEPTH_MAX} levels`);
    this.position += 1;
  }

  private string(): string {
    const start = this.position;
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') {
      if (this.text.charCodeAt(end) < 0x20) this.fail("a control character in a string must be escaped", end);
      end += this.text[end] === "\\" ? 2 : 1;
    }
    if (end >= this.text.length) this.fail("a closing quote is missing", start);
    this.position = end + 1;
    try {
      return String(JSON.parse(this.text.slice(start, end + 1)));
    } catch {
      return this.fail("an escape in a string is invalid", start);
    }
  }

  private scalar(): unknown {
    const word = this.match(WORD);
    if (word !== undefined) {
      const value = WORDS.get(word);
      return value === undefined ? this.fail("a word must be true, false or null", this.position - word.length) : value;
    }
    const digits = this.match(NUMBER);
    if (digits === undefined) return this.fail("a value is missing");
    const value = Number(digits);
    return Number.isFinite(value) ? value : this.fail("a number is too large", this.position - digits.length);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.position += found.length;
    return found;
  }

  private peek(): string | undefined {
    this.skipSpace();
    return this.text[this.position];
  }

  private take(character: string): boolean {
    if (this.peek() !== character) return false;
    this.position += 1;
    return true;
  }

  private skipSpace(): void {
    for (;;) {
      while (this.position < this.text.length && " \t\r\n".includes(this.text.charAt(this.position)))
        this.position += 1;
      if (this.text.startsWith("//", this.position)) {
        const end = this.text.indexOf("\n", this.position);
        this.position = end === -1 ? this.text.length : end + 1;
      } else if (this.text.startsWith("/*", this.position)) {
        const end = this.text.indexOf("*/", this.position + 2);
        if (end === -1) this.fail("the end of a comment is missing");
        this.position = end + 2;
      } else return;
    }
  }

  private fail(what: string, at = this.position): never {
    const before = this.text.slice(0, at);
    const line = before.split("\n").length;
    const column = at - before.lastIndexOf("\n");
    throw new JsoncError(`${what}: line ${line}, column ${column}`);
  }
}
