/**
 * Files that are imported as they are, `with { type: "text" }`, so that the compiled binary carries them.
 * @module
 */

declare module "*.service" {
  const text: string;
  export default text;
}

declare module "*.jsonc" {
  const text: string;
  export default text;
}

declare module "*.yaml" {
  const text: string;
  export default text;
}
