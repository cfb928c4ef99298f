/**
 * Variables in the bytes of an environment.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { variableOf } from "../../../src/adapters/process/environment.ts";

const CASES: readonly [environment: string, value: string | undefined][] = [
  ["METALD_VM_ID=a\0PATH=/bin\0", "a"],
  ["PATH=/bin\0METALD_VM_ID=a\0", "a"],
  ["PATH=/bin\0METALD_VM_ID=a", "a"],
  ["METALD_VM_ID=first\0METALD_VM_ID=second\0", "first"],
  ["METALD_VM_ID=\0", ""],
  ["NOT_METALD_VM_ID=a\0", undefined],
  ["X=METALD_VM_ID=decoy\0METALD_VM_ID=a\0", "a"],
  ["METALD_VM_IDENTITY=a\0", undefined],
  ["METALD_VM_ID\0", undefined],
  ["", undefined],
];

for (const [environment, value] of CASES) {
  test(`variableOf ${JSON.stringify(environment)} is ${value}`, () => {
    assert.equal(variableOf(Buffer.from(environment), "METALD_VM_ID"), value);
  });
}
