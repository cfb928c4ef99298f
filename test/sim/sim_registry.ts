/**
 * The directory of records on the simulated host, with its history.
 *
 * The history tells a checker what an agent can have read: a reading begun at some instant saw one of the contents in force
 * since then.
 * @module
 */

import type { VmRecord } from "../../src/domain/vm_record.ts";
import type { InvalidRecord, ReadRecord, RegistryListing, UnreadableRegistry } from "../../src/ports/registry.ts";
import { type RecordSpec, recordOf } from "./sim_record.ts";

export type RegistryMode = "ok" | "unreadable" | "empty";

type FileContent =
  | { readonly kind: "record"; readonly spec: RecordSpec; readonly record: VmRecord; readonly reading: ReadRecord }
  | { readonly kind: "invalid"; readonly reading: InvalidRecord }
  | { readonly kind: "absent" };

interface Version {
  readonly at: number;
  readonly content: FileContent;
}

const VERSIONS_MAX = 40;
const REGISTRY_PATH = "/var/lib/metald/vms";
const ABSENT: FileContent = { kind: "absent" };
const UNREADABLE: UnreadableRegistry = { kind: "unreadable", path: REGISTRY_PATH, error: "EIO: i/o error" };

export class SimRegistry {
  readonly path = REGISTRY_PATH;
  readonly #history = new Map<string, Version[]>();
  readonly #bySource = new Map<string, VmRecord>();
  #mode: RegistryMode = "ok";
  #modeChangedAt = 0;
  #listing: RegistryListing | undefined;
  /** Called after each change, with the id, or undefined for all. */
  onChange: (id: string | undefined) => void = () => {};

  get mode(): RegistryMode {
    return this.#mode;
  }

  setMode(mode: RegistryMode, nowMs: number): void {
    this.#mode = mode;
    this.#modeChangedAt = nowMs;
    this.onChange(undefined);
  }

  write(spec: RecordSpec, nowMs: number): void {
    const record = recordOf(spec);
    const source = JSON.stringify(spec);
    this.#bySource.set(source, record);
    const reading: ReadRecord = { kind: "record", id: spec.id, record, source };
    this.#put(spec.id, { kind: "record", spec, record, reading }, nowMs);
  }

  /** Half a JSON where the record was. */
  breakRecord(id: string, nowMs: number): void {
    const path = `${REGISTRY_PATH}/${id}.json`;
    const error = "Cannot read a record as JSON must be complete: current value is {";
    this.#put(id, { kind: "invalid", reading: { kind: "invalid", id, path, error } }, nowMs);
  }

  remove(id: string, nowMs: number): void {
    this.#put(id, ABSENT, nowMs);
  }

  list(): RegistryListing | UnreadableRegistry {
    if (this.#mode === "unreadable") return UNREADABLE;
    if (this.#mode === "empty") return { kind: "listed", entries: [] };
    if (this.#listing !== undefined) return this.#listing;
    const entries: (ReadRecord | InvalidRecord)[] = [];
    for (const id of this.#history.keys()) {
      const content = this.#content(id);
      if (content.kind !== "absent") entries.push(content.reading);
    }
    this.#listing = { kind: "listed", entries };
    return this.#listing;
  }

  read(id: string): ReadRecord | InvalidRecord | UnreadableRegistry | { readonly kind: "absent" } {
    if (this.#mode === "unreadable") return UNREADABLE;
    const content = this.#mode === "empty" ? ABSENT : this.#content(id);
    return content.kind === "absent" ? { kind: "absent" } : content.reading;
  }

  ids(): string[] {
    return [...this.#history.keys()];
  }

  fileKind(id: string): FileContent["kind"] {
    return this.#content(id).kind;
  }

  /** The spec on disk, or the last one that stood there. */
  specOf(id: string): RecordSpec | undefined {
    const content = this.#lastValid(id);
    return content?.spec;
  }

  /** The record in force on disk: the last good one while the file is broken; undefined when absent or unreadable. */
  inForce(id: string): VmRecord | undefined {
    if (this.#mode !== "ok" || this.#content(id).kind === "absent") return undefined;
    return this.#lastValid(id)?.record;
  }

  /** The last record that stood there, whatever stands there now. */
  lastRecord(id: string): VmRecord | undefined {
    return this.#lastValid(id)?.record;
  }

  changedAt(id: string): number {
    const versions = this.#history.get(id);
    const fileChangedAt = versions?.[versions.length - 1]?.at ?? 0;
    return Math.max(fileChangedAt, this.#modeChangedAt);
  }

  /** Every record that stood in the file at some instant since `since`, the one that stood at `since` among them. */
  recordsSince(id: string, since: number): VmRecord[] {
    const versions = this.#history.get(id) ?? [];
    const records: VmRecord[] = [];
    for (let index = versions.length - 1; index >= 0; index--) {
      const version = versions[index];
      if (version === undefined) break;
      if (version.content.kind === "record") {
        records.push(version.content.record);
        if (version.at <= since) break;
      }
    }
    return records;
  }

  recordFromSource(source: string): VmRecord | undefined {
    return this.#bySource.get(source);
  }

  #content(id: string): FileContent {
    const versions = this.#history.get(id);
    return versions?.[versions.length - 1]?.content ?? ABSENT;
  }

  #lastValid(id: string): Extract<FileContent, { kind: "record" }> | undefined {
    const versions = this.#history.get(id) ?? [];
    for (let index = versions.length - 1; index >= 0; index--) {
      const content = versions[index]?.content;
      if (content?.kind === "record") return content;
    }
    return undefined;
  }

  #put(id: string, content: FileContent, nowMs: number): void {
    const versions = this.#history.get(id) ?? [];
    versions.push({ at: nowMs, content });
    if (versions.length > VERSIONS_MAX) versions.splice(0, versions.length - VERSIONS_MAX);
    this.#history.set(id, versions);
    this.#listing = undefined;
    this.onChange(id);
  }
}
