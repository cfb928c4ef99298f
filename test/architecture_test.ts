/**
 * The rules of the source tree that no compiler and no linter knows.
 * @module
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What each folder of `src/` may import beside itself: right and down only. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  ports: ["domain"],
  async: ["domain", "ports"],
  health: ["domain", "ports", "async"],
  recovery: ["domain", "ports", "async", "health"],
  reliability: ["domain", "ports", "async", "health", "recovery"],
  config: ["domain"],
  assets: [],
  observability: ["domain", "ports"],
  cli: ["domain", "ports", "config", "assets", "observability"],
  adapters: ["domain", "ports", "async", "config"],
};

/** Its world reaches the core as an argument only, or the simulator would not simulate all of it. */
const CORE = ["domain", "ports", "async", "health", "recovery", "reliability"];
const FORBIDDEN_IN_CORE = new RegExp(
  String.raw`(?<![.\w])(Date|Bun|Deno|fetch|performance|set(Timeout|Interval|Immediate)|Math\.random` +
    String.raw`|process\.(argv|cwd|env|exit|hrtime|kill|on|once|stderr|stdout))\b`,
);

const PACKAGES = ["@opentelemetry/api", "loglevel", "ms", "zod"];

const sources = filesBelow("src").filter((path) => path.endsWith(".ts"));
const tests = filesBelow("test").filter((path) => path.endsWith(".ts"));

test("imports in src point right and down, and only main.ts imports adapters", () => {
  const wrong: string[] = [];
  for (const path of sources) {
    const layer = layerOf(path);
    if (layer === undefined) continue;
    const allowed = LAYERS[layer];
    assert.ok(allowed !== undefined, `src/${layer} has no layer`);
    for (const specifier of importsOf(path)) {
      if (!specifier.startsWith(".")) continue;
      const target = posix.join(dirname(path), specifier);
      const targetLayer = layerOf(target);
      if (targetLayer !== layer && !allowed.includes(targetLayer ?? "main.ts")) wrong.push(`${path} -> ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("the core imports no package and no module of the runtime", () => {
  const wrong: string[] = [];
  for (const path of sources.filter(isCore)) {
    for (const specifier of importsOf(path)) if (!specifier.startsWith(".")) wrong.push(`${path} -> ${specifier}`);
  }
  assert.deepEqual(wrong, []);
});

test("the core knows no clock, timer, chance, network or runtime of its own", () => {
  const wrong: string[] = [];
  for (const path of sources.filter(isCore)) {
    const found = FORBIDDEN_IN_CORE.exec(codeOf(path));
    if (found !== null) wrong.push(`${path}: ${found[0]}`);
  }
  assert.deepEqual(wrong, []);
});

test("src imports four packages and the modules of node, and the package names exactly these four", () => {
  const wrong: string[] = [];
  for (const path of sources) {
    for (const specifier of importsOf(path)) {
      const outside = !specifier.startsWith(".") && !specifier.startsWith("node:") && specifier !== "bun:ffi";
      if (outside && !PACKAGES.includes(specifier)) wrong.push(`${path} -> ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
  const { dependencies } = JSON.parse(read("package.json"));
  assert.deepEqual(Object.keys(dependencies).sort(), PACKAGES);
});

test("every version in package.json is exact, so that two installations are the same", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    assert.match(String(version), /^\d+\.\d+\.\d+$/, name);
  }
});

test("every module of src opens with what it is", () => {
  const mute = sources.filter((path) => !/^\/\*\*\s[\s\S]{20,}?@module\s+\*\//.test(read(path)));
  assert.deepEqual(mute, []);
});

test("file names are in snake case and say what is inside", () => {
  const wrong = [...sources, ...tests].filter((path) => {
    const name = basename(path).replace(/(\.d)?\.ts$/, "");
    return !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name) || /^(index|utils?|helpers?|common|misc|types)$/.test(name);
  });
  assert.deepEqual(wrong, []);
});

test("nothing is asserted into another type by way of unknown", () => {
  const wrong = [...sources, ...tests].filter((path) =>
    /\bas unknown as\b|@ts-(ignore|expect-error)/.test(codeOf(path)),
  );
  assert.deepEqual(wrong, []);
});

test("what only one runtime can do stands in a file named after it", () => {
  const wrong = sources.filter((path) => {
    const bunOnly = !path.endsWith("_bun.ts") && /["']bun:|\bBun\.\w/.test(codeOf(path));
    const denoOnly = !path.endsWith("_deno.ts") && /\bDeno\.\w/.test(codeOf(path));
    return bunOnly || denoOnly;
  });
  assert.deepEqual(wrong, []);
});

test("the binary opens no port: src has no server that listens on an address", () => {
  const wrong = sources.filter((path) => /\.listen\(|\bcreateServer\b|\bBun\.(serve|listen)\b/.test(codeOf(path)));
  assert.deepEqual(wrong, []);
});

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]))
    .sort();
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The file without comments and texts: good enough for code that Biome formats. */
function codeOf(path: string): string {
  return read(path)
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/(^|\s)\/\/.*$/gm, "");
}

function importsOf(path: string): string[] {
  const pattern = /^(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;
  return [...codeOf(path).matchAll(pattern)].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? "");
}

/** The folder below `src/`; undefined for a file that stands there itself, and for what is not below it. */
function layerOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function isCore(path: string): boolean {
  return CORE.includes(layerOf(path) ?? "");
}
