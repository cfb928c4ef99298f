/**
 * The SQLite that both runtimes carry as `node:sqlite`, as far as it is used here.
 *
 * It is asked for by name at run time, since the types of the oldest Node that builds this project do not know the module.
 * @module
 */

import process from "node:process";

export interface Database {
  exec(sql: string): void;
  close(): void;
}

interface SqliteModule {
  readonly DatabaseSync: new (path: string) => Database;
}

/** @throws {Error} when the runtime has no SQLite */
export function openDatabase(path: string): Database {
  const module = process.getBuiltinModule("node:sqlite");
  if (!isSqlite(module)) throw new Error("Cannot open a database as the runtime must have node:sqlite");
  return new module.DatabaseSync(path);
}

function isSqlite(module: object | undefined): module is SqliteModule {
  return module !== undefined && "DatabaseSync" in module && typeof module.DatabaseSync === "function";
}
