/**
 * OTLP JSON in a form in which two encoders can be compared: integers as text, sets of attributes and series in one order, no instants.
 * @module
 */

type Json = Readonly<Record<string, unknown>>;

/** The JSON form of protobuf takes both a number and its text for these. */
const INTEGERS = new Set(["intValue", "asInt", "count"]);
const INSTANTS = new Set(["startTimeUnixNano", "timeUnixNano", "endTimeUnixNano"]);
const UNORDERED = new Set(["attributes", "dataPoints"]);

export function normalJson(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) {
    if (key === "bucketCounts") return value.map(String);
    const items = value.map((item) => normalJson(item));
    return UNORDERED.has(key) ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (INTEGERS.has(key)) return String(value);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Json)
      .filter(([name, each]) => each !== undefined && !isEmptyList(each) && !INSTANTS.has(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, each]) => [name, normalJson(each, name)]),
  );
}

/** In the binary form there is no difference between an empty list and none. */
function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
