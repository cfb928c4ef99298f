/** Chance, from one source, so that the simulator can repeat it.
 * @module
 */

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}
