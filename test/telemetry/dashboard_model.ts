/**
 * The part of Grafana's classic dashboard model that ours uses, with no key beyond: a key that Grafana does not know is dropped without
 * a word, and a panel then looks otherwise than it was meant to.
 *
 * https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
 * @module
 */

import { z } from "zod";

const datasource = z.strictObject({ type: z.literal("prometheus"), uid: z.literal(`\${datasource}`) });

/** In a grid of 24 columns. */
const gridPos = z.strictObject({
  h: z.int().min(1).max(50),
  w: z.int().min(1).max(24),
  x: z.int().min(0).max(23),
  y: z.int().min(0),
});

const target = z.strictObject({
  refId: z.string().regex(/^[A-Z]$/),
  datasource,
  expr: z.string().min(1),
  legendFormat: z.string(),
});

/** The first step is the base: it has no value. */
const thresholds = z.strictObject({
  mode: z.literal("absolute"),
  steps: z.tuple(
    [z.strictObject({ color: z.string(), value: z.null() })],
    z.strictObject({ color: z.string(), value: z.number() }),
  ),
});

const fieldConfig = z.strictObject({
  defaults: z.strictObject({
    /** Units that Grafana knows. */
    unit: z.enum(["short", "s", "percentunit"]),
    min: z.number().optional(),
    max: z.number().optional(),
    thresholds: thresholds.optional(),
    custom: z
      .strictObject({
        stacking: z.strictObject({ mode: z.enum(["none", "normal"]), group: z.string() }),
        fillOpacity: z.int().min(0).max(100),
        lineWidth: z.int().min(0).max(10),
      })
      .partial()
      .optional(),
  }),
  overrides: z.tuple([]),
});

const reduceOptions = z.strictObject({
  calcs: z.tuple([z.literal("lastNotNull")]),
  fields: z.literal(""),
  values: z.literal(false),
});

const id = z.int().min(1);
const title = z.string().min(1);
const queried = {
  id,
  title,
  description: z.string(),
  datasource,
  targets: z.array(target).min(1),
  fieldConfig,
  gridPos,
};

const panel = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("row"),
    id,
    title,
    collapsed: z.literal(false),
    gridPos: gridPos.extend({ h: z.literal(1), w: z.literal(24), x: z.literal(0) }),
    panels: z.tuple([]),
  }),
  z.strictObject({
    type: z.literal("stat"),
    ...queried,
    options: z.strictObject({
      reduceOptions,
      colorMode: z.enum(["none", "value", "background"]),
      graphMode: z.enum(["none", "area"]),
      textMode: z.enum(["auto", "value", "name", "none", "value_and_name"]),
    }),
  }),
  z.strictObject({
    type: z.literal("bargauge"),
    ...queried,
    options: z.strictObject({
      reduceOptions,
      orientation: z.enum(["auto", "horizontal", "vertical"]),
      displayMode: z.enum(["basic", "gradient", "lcd"]),
    }),
  }),
  z.strictObject({
    type: z.literal("timeseries"),
    ...queried,
    options: z.strictObject({
      legend: z.strictObject({
        showLegend: z.literal(true),
        displayMode: z.enum(["list", "table"]),
        placement: z.enum(["bottom", "right"]),
        calcs: z.array(z.string()),
      }),
      tooltip: z.strictObject({ mode: z.enum(["single", "multi", "none"]) }),
    }),
  }),
  z.strictObject({
    type: z.literal("text"),
    id,
    title,
    gridPos,
    options: z.strictObject({ mode: z.enum(["markdown", "html", "code"]), content: z.string().min(1) }),
  }),
]);

const variable = {
  name: z.string().regex(/^\w+$/),
  label: z.string(),
  current: z.strictObject({}),
  /** 0: label and value are shown. */
  hide: z.literal(0),
  regex: z.string(),
  includeAll: z.boolean(),
  multi: z.boolean(),
  options: z.tuple([]),
};

export const dashboardModel = z.strictObject({
  title,
  uid: z.string().regex(/^[\w-]{8,40}$/),
  description: z.string(),
  tags: z.array(z.string()),
  schemaVersion: z.literal(38),
  version: z.int(),
  editable: z.boolean(),
  /** 0: none, 1: a shared crosshair, 2: a shared tooltip. */
  graphTooltip: z.int().min(0).max(2),
  refresh: z.string().regex(/^\d+[smh]$/),
  timezone: z.enum(["browser", "utc"]),
  time: z.strictObject({ from: z.string().regex(/^now-\d+[smhd]$/), to: z.literal("now") }),
  annotations: z.strictObject({ list: z.tuple([]) }),
  links: z.tuple([]),
  templating: z.strictObject({
    list: z.array(
      z.discriminatedUnion("type", [
        /** `refresh` 1: when the dashboard is loaded; 2: when the time range changes. */
        z.strictObject({
          type: z.literal("datasource"),
          ...variable,
          query: z.literal("prometheus"),
          refresh: z.literal(1),
        }),
        z.strictObject({
          type: z.literal("query"),
          ...variable,
          datasource,
          query: z.strictObject({ query: z.string(), refId: z.string() }),
          definition: z.string(),
          allValue: z.string(),
          refresh: z.literal(2),
          sort: z.int().min(0).max(8),
        }),
      ]),
    ),
  }),
  panels: z.array(panel),
});
