import assert from "node:assert/strict";
import { test } from "node:test";
import { countTests } from "./junit.ts";

/** As Bun 1.4.5 writes it: no element of its own for a test that passed, suites within suites. */
const BUN = `<testsuites name="bun test" tests="4">
  <testsuite name="a_test.ts" tests="4" failures="1" skipped="1">
    <testcase name="good &gt; better" classname="" time="0.001" />
    <testcase name="bad" classname=""><failure type="AssertionError" message="1 !== 2&#10;">1 !== 2</failure></testcase>
    <testcase name="needs &quot;gcc&quot; &amp; root" time="0">
      <skipped />
    </testcase>
    <testsuite name="d"><testcase name="in" classname="d" /></testsuite>
  </testsuite>
</testsuites>`;

/** As Deno 2.9.6 writes it: an element of its own for each test, line ends within values. */
const DENO = `<testsuites name="deno test" tests="3" failures="1" errors="0">
    <testsuite name="./a_test.ts" tests="3" disabled="1" errors="0" failures="1">
        <testcase name="good" classname="./a_test.ts" time="0.001">
        </testcase>
        <testcase name="bad" classname="./a_test.ts" time="0.002">
            <failure message="Uncaught AssertionError:

1 !== 2
">at &lt;anonymous&gt;</failure>
        </testcase>
        <testcase name="needs root" time="0.000">
            <skipped/>
        </testcase>
    </testsuite>
</testsuites>`;

test("countTests() counts what Bun reports", () => {
  assert.deepEqual(countTests(BUN), { passed: 2, failed: 1, skipped: ['needs "gcc" & root'] });
});

test("countTests() counts what Deno reports", () => {
  assert.deepEqual(countTests(DENO), { passed: 1, failed: 1, skipped: ["needs root"] });
});

test("countTests() finds nothing where a runner wrote nothing", () => {
  assert.deepEqual(countTests(""), { passed: 0, failed: 0, skipped: [] });
});
