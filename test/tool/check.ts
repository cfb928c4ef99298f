/**
 * `npm test`: every check of the repository, one after the other, to the end even if one fails, so that the counts are real.
 *
 * The suite runs under both runtimes. What runs real virtual machines or the binary is slow and belongs to no runtime in
 * particular, so it runs once. The last line is `N passed, N failed`: the tests of all runs, and each other check as one.
 * @module
 */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { countTests, type TestCounts } from "./junit.ts";
import { ROOT, tool } from "./root.ts";
import { runStep } from "./run_step.ts";

interface Step {
  readonly name: string;
  readonly argv: readonly string[];
  /** Where the step writes its tests in the form of JUnit; undefined: the step counts as one. */
  readonly junitPath?: string;
}

const STEP_TIMEOUT_MS = 10 * 60_000;
const TEST_TIMEOUT_MS = 60_000;
/** Folders whose tests run under Bun only, each as a step of its own. */
const ONCE = ["test/host", "test/smoke", "test/telemetry"];

const reports = mkdtempSync(join(tmpdir(), "metald-check-"));
let passed = 0;
let failed = 0;
try {
  for (const step of steps()) await carryOut(step);
} finally {
  rmSync(reports, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function steps(): Step[] {
  const files = testFiles("test");
  const isOnce = (file: string) => ONCE.some((folder) => file.startsWith(`${folder}/`));
  const everywhere = files.filter((file) => !isOnce(file));
  return [
    { name: "format and lint", argv: [tool("biome"), "check", "--config-path=.ci/lint.jsonc", "."] },
    { name: "types: tsc", argv: [tool("tsc"), "-p", "."] },
    { name: "types: deno check", argv: [tool("deno"), "check", "src", "test"] },
    { name: "build", argv: [tool("bun"), "test/tool/build.ts"] },
    bunTests("suite under Bun", everywhere),
    denoTests("suite under Deno", everywhere),
    { name: "200 seeds of the simulator", argv: [tool("bun"), "test/sim/main.ts", "--seeds", "200"] },
    ...ONCE.map((folder) => ({ folder, tests: files.filter((file) => file.startsWith(`${folder}/`)) }))
      .filter(({ tests }) => tests.length > 0)
      .map(({ folder, tests }) => bunTests(folder, tests)),
  ];
}

function bunTests(name: string, files: readonly string[]): Step {
  const junitPath = join(reports, `${name.replaceAll(/\W/g, "_")}.xml`);
  const reporter = ["--reporter=junit", `--reporter-outfile=${junitPath}`];
  return {
    name,
    argv: [tool("bun"), "test", `--timeout=${TEST_TIMEOUT_MS}`, ...reporter, ...files.map((file) => `./${file}`)],
    junitPath,
  };
}

function denoTests(name: string, files: readonly string[]): Step {
  const junitPath = join(reports, `${name.replaceAll(/\W/g, "_")}.xml`);
  return { name, argv: [tool("deno"), "test", "-A", "--no-check", `--junit-path=${junitPath}`, ...files], junitPath };
}

function testFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return testFiles(path);
      return entry.name.endsWith("_test.ts") ? [path] : [];
    })
    .sort();
}

async function carryOut(step: Step): Promise<void> {
  const outcome = await runStep(step.argv, ROOT, STEP_TIMEOUT_MS);
  const counts = step.junitPath === undefined ? undefined : countsOf(step.junitPath);
  const seconds = `${(outcome.durationMs / 1_000).toFixed(1)}s`;
  if (counts === undefined) {
    if (outcome.passed) passed++;
    else failed++;
    console.log(`${outcome.passed ? "ok    " : "FAILED"} ${step.name} (${seconds})`);
  } else {
    // A runner that fails without a failed test could not load one, or crashed.
    const failures = outcome.passed ? counts.failed : Math.max(1, counts.failed);
    passed += counts.passed;
    failed += failures;
    const summary = `${counts.passed} passed, ${failures} failed, ${counts.skipped.length} skipped`;
    console.log(`${failures === 0 ? "ok    " : "FAILED"} ${step.name}: ${summary} (${seconds})`);
    for (const name of counts.skipped) console.log(`         skipped: ${name}`);
  }
  if (!outcome.passed) console.log(withoutPasses(outcome.output).replaceAll(/^/gm, "  | "));
}

function countsOf(junitPath: string): TestCounts {
  return countTests(existsSync(junitPath) ? readFileSync(junitPath, "utf8") : "");
}

/** The output of a runner without its lines about tests that passed and files that were checked. */
function withoutPasses(output: string): string {
  return output.replaceAll(/^(\(pass\) .*|.* \.\.\. ok \(.*\)|Check .*)\n/gm, "");
}
