import assert from "node:assert/strict";
import { test } from "node:test";
import type { VmRecord } from "../../src/domain/vm_record.ts";
import type { InvalidRecord, ReadRecord } from "../../src/ports/registry.ts";
import { refuseRivals, rivalOf, withoutRivals } from "../../src/reliability/rivals.ts";
import { recordOf } from "../recovery/examples.ts";

const PATH = "/var/lib/metald/vms";

/** `a:s` claims the socket s, `a:!u` the unit u, `a` nothing, `a:bad` does not parse. */
function entry(text: string): ReadRecord | InvalidRecord {
  const [id = "", claim = ""] = text.split(":");
  if (claim === "bad") return { kind: "invalid", id, path: `${PATH}/${id}.json`, error: "no JSON" };
  return { kind: "record", id, record: record(id, claim), source: text };
}

function record(id: string, claim: string): VmRecord {
  if (claim.startsWith("!")) {
    return recordOf({ id, launch: { kind: "unit", unit: `${claim.slice(1)}.service` } });
  }
  return recordOf({ id, socket: claim === "" ? undefined : `/run/${claim}.sock` });
}

function inForce(...texts: readonly string[]): ReadonlyMap<string, VmRecord> {
  return new Map(
    texts.map((text) => [text.split(":")[0] ?? "", record(text.split(":")[0] ?? "", text.split(":")[1] ?? "")]),
  );
}

const CASES: readonly (readonly [name: string, known: string[], read: string[], refused: string[]])[] = [
  ["each has its own socket", [], ["a:s", "b:t", "c", "d"], []],
  ["two come together", [], ["b:s", "a:s"], ["b of a"]],
  ["three come together", [], ["a:s", "b:s", "c:s"], ["b of a", "c of a"]],
  ["the one that was there keeps it, whatever its name", ["b:s"], ["a:s", "b:s"], ["a of b"]],
  ["a single record comes to it", ["b:s", "c:t"], ["a:s"], ["a of b"]],
  ["one that does not parse keeps what it had", ["b:s"], ["a:s", "b:bad"], ["a of b"]],
  ["one gives it up as another takes it", ["a:s"], ["a:t", "b:s"], []],
  ["two exchange what they have", ["a:s", "b:t"], ["a:t", "b:s"], []],
  ["a unit is one VM's too", [], ["a:!u", "b:!u", "c:!v"], ["b of a"]],
  ["nothing changes", ["a:s", "b:t"], ["a:s", "b:t"], []],
];

for (const [name, known, texts, refused] of CASES) {
  test(`refuseRivals() refuses ${refused.join(" and ") || "nobody"}: ${name}`, () => {
    const result = refuseRivals(inForce(...known), texts.map(entry), PATH);
    const said = result
      .filter((each) => each.kind === "invalid" && each.error !== "no JSON")
      .map((each) => `${each.id} of ${"error" in each ? each.error.split(" ").at(-1) : "?"}`);
    assert.deepEqual(said.sort(), refused);
    assert.equal(result.length, texts.length);
  });
}

test("refuseRivals() names file, key, value, rule and the other VM", () => {
  const [, refused] = refuseRivals(new Map(), [entry("a:s"), entry("b:s")], PATH);
  const error = 'Cannot use socket "/run/s.sock" as no two VMs may have one: it is that of a';
  assert.deepEqual(refused, { kind: "invalid", id: "b", path: `${PATH}/b.json`, error });
});

test("withoutRivals() keeps the first by name of those that an older version let pass", () => {
  assert.deepEqual([...withoutRivals(inForce("c:s", "b:t", "a:s", "d")).keys()], ["a", "b", "d"]);
});

test("rivalOf() finds the other VM, and never the same one", () => {
  const known = [...inForce("a:s", "b:!u", "c").values()];
  assert.equal(rivalOf(record("d", "s"), known), "a");
  assert.equal(rivalOf(record("d", "!u"), known), "b");
  assert.equal(rivalOf(record("a", "s"), known), undefined);
  assert.equal(rivalOf(record("d", ""), known), undefined);
});
