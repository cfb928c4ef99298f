/**
 * The end of every switch over a union, so that the type checker objects when a member is added and not handled.
 * @module
 */

/** @throws {TypeError} Always: a value outside its union is a bug, and a bug ends the process. */
export function unreachable(value: never): never {
  throw new TypeError(`Cannot continue as a value lies outside its union: current value is ${JSON.stringify(value)}`);
}
