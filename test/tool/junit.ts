/**
 * Counts tests in the JUnit reports of `bun test` and `deno test`, since what both print for people differs and changes.
 *
 * No parser of XML in general: both runners escape `<` and `>` in attributes and in text.
 * @module
 */

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  /** Names of the tests that were skipped. */
  readonly skipped: readonly string[];
}

export function countTests(junit: string): TestCounts {
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  for (const [, attributes, , content] of junit.matchAll(/<testcase\b([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    if (/<(failure|error)\b/.test(content ?? "")) failed++;
    else if (/<skipped\b/.test(content ?? "")) skipped.push(nameOf(attributes ?? ""));
    else passed++;
  }
  return { passed, failed, skipped };
}

function nameOf(attributes: string): string {
  const name = / name="([^"]*)"/.exec(` ${attributes}`)?.[1] ?? "";
  const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return name.replace(/&(lt|gt|quot|apos|amp|#\d+);/g, (text, entity: string) =>
    entity.startsWith("#") ? String.fromCodePoint(Number(entity.slice(1))) : (entities[entity] ?? text),
  );
}
