/** The dashboard: its expressions as Prometheus reads them, its metrics as the agent has them. */

import assert from "node:assert/strict";
import { it } from "node:test";
import dashboard from "../../src/assets/dashboard.json" with { type: "json" };
import { INSTRUMENTS } from "../../src/observability/instrument_table.ts";
import { describeWhere } from "../host/requires.ts";
import { PROMTOOL, promtool, withYamlFile } from "./promtool.ts";

const EXPRESSIONS = dashboard.panels
  .flatMap((panel) => ("targets" in panel ? panel.targets : []))
  .map(({ expr }) => expr);

describeWhere([PROMTOOL], "the dashboard", () => {
  it("has only expressions that Prometheus reads", () => {
    const rules = EXPRESSIONS.map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*"),
    }));
    assert.ok(rules.length > 20);
    const { passed, output } = withYamlFile({ groups: [{ name: "dashboard", rules }] }, (path) =>
      promtool(["check", "rules", path]),
    );
    assert.ok(passed, output);
  });
});

it("the dashboard shows every metric of the agent, and none that it has not", () => {
  const shown = new Set(
    EXPRESSIONS.flatMap((expr) => [...expr.matchAll(/unkey_metald_\w+/g)]).map(([name]) =>
      name.replace(/_bucket$/, ""),
    ),
  );
  assert.deepEqual([...shown].sort(), Object.keys(INSTRUMENTS).sort());
});

it("the dashboard can be imported: a data source to choose, ids that are unique, panels that do not overlap", () => {
  assert.equal(dashboard.schemaVersion, 38);
  assert.ok(dashboard.templating.list.some(({ name, type }) => name === "datasource" && type === "datasource"));
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const taken = new Set<string>();
  for (const { gridPos } of dashboard.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(!taken.has(`${x},${y}`), `two panels at ${x},${y}`);
        taken.add(`${x},${y}`);
      }
    }
  }
});
