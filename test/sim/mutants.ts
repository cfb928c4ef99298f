/**
 * Ways to break the core, each by one change of its text, that the checkers must catch.
 * @module
 */

export interface Mutant {
  readonly name: string;
  /** The file to change, below the top of the project. */
  readonly file: string;
  /** Text that occurs there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Which rule it breaks, and what would go wrong on a host. */
  readonly why: string;
}

export const MUTANTS: readonly Mutant[] = [];
