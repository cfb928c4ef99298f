/** The dashboard: its expressions as Prometheus reads them, its metrics as the agent has them. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { z } from "zod";
import dashboard from "../../src/assets/dashboard.json" with { type: "json" };
import { INSTRUMENTS } from "../../src/observability/instrument_table.ts";
import { describeWhere } from "../host/requires.ts";
import { dashboardModel } from "./dashboard_model.ts";
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

it("the dashboard has the model of Grafana and nothing beside it", () => {
  const { error } = dashboardModel.safeParse(dashboard);
  assert.equal(error === undefined ? "" : z.prettifyError(error), "");
});

it("the dashboard can be imported: a data source to choose, ids that are unique, panels in rows that do not overlap", () => {
  const { panels, templating } = dashboardModel.parse(dashboard);
  assert.deepEqual(
    templating.list.map(({ name, type }) => `${name} ${type}`),
    ["datasource datasource", "instance query"],
  );
  const ids = panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
  assert.equal(panels[0]?.type, "row");
  const taken = new Set<string>();
  let bottom = 0;
  for (const { id, type, gridPos } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, `panel ${id}`);
    if (type === "row") assert.equal(gridPos.y, bottom, `row ${id} begins where what is above it ends`);
    bottom = Math.max(bottom, gridPos.y + gridPos.h);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(!taken.has(`${x},${y}`), `two panels at ${x},${y}`);
        taken.add(`${x},${y}`);
      }
    }
  }
  assert.equal(taken.size, 24 * bottom, "there is no hole, which Grafana would close by moving panels");
});

it("the dashboard's queries have names of their own in a panel, ask for the chosen hosts, and no variable beside", () => {
  for (const panel of dashboardModel.parse(dashboard).panels) {
    if (!("targets" in panel)) continue;
    const refIds = panel.targets.map(({ refId }) => refId);
    assert.deepEqual(refIds, ["A", "B", "C"].slice(0, refIds.length), panel.title);
    for (const { expr, legendFormat } of panel.targets) {
      for (const [metric] of expr.matchAll(/unkey_metald_\w+(?:\{[^}]*\})?/g))
        assert.match(metric, /instance=~"\$instance"/);
      for (const [, name] of expr.matchAll(/\$(\w+)/g)) assert.match(name ?? "", /^(?:instance|__rate_interval)$/);
      if (panel.type === "timeseries") assert.notEqual(legendFormat, "", panel.title);
      // A label that the query has summed away would show as an empty text.
      const kept =
        /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/, ?/) ?? (/^(?:sum|count|histogram)/.test(expr) ? [] : ["instance"]);
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        assert.ok(kept.includes(label ?? ""), legendFormat);
    }
  }
});
