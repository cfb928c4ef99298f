/**
 * Users of the host, from `/etc/passwd`: https://man7.org/linux/man-pages/man5/passwd.5.html
 *
 * Users that only a directory service knows are not found: a VM must start while the network is down.
 * @module
 */

import { readFileSync } from "node:fs";

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Undefined when there is no such user, or when the file cannot be read. */
export function findUser(matches: (user: User) => boolean, path = "/etc/passwd"): User | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  for (const line of text.split("\n")) {
    const user = parseUser(line);
    if (user !== undefined && matches(user)) return user;
  }
  return undefined;
}

/** The uid of a user named in a record; undefined when there is none. */
export function uidOf(name: string): number | undefined {
  return findUser((user) => user.name === name)?.uid;
}

function parseUser(line: string): User | undefined {
  const [name, , uid, gid, , home] = line.split(":");
  if (name === undefined || home === undefined || !/^\d+$/.test(uid ?? "") || !/^\d+$/.test(gid ?? ""))
    return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home };
}
