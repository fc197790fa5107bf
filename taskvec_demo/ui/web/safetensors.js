// Reads .safetensors files.

/** @typedef {{shape: number[], data: any}} Tensor `data`: a typed array, in row-major order */

/** @type {[string, (bytes: ArrayBuffer) => Tensor["data"]][]} */
const KINDS = [
  ["F32", (bytes) => new Float32Array(bytes)],
  ["F64", (bytes) => new Float64Array(bytes)],
  ["U8", (bytes) => new Uint8Array(bytes)],
  ["I8", (bytes) => new Int8Array(bytes)],
  ["I16", (bytes) => new Int16Array(bytes)],
  ["I32", (bytes) => new Int32Array(bytes)],
  ["I64", (bytes) => Float64Array.from(new BigInt64Array(bytes), Number)],
];
const DECODERS = new Map(KINDS);

/**
 * @param {ArrayBuffer} buffer of a whole file
 * @returns {{has: (name: string) => boolean, tensor: (name: string) => Tensor,
 *   metadata: (key: string) => string | undefined}}
 */
export function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true)); // of the JSON header that follows, in bytes
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const entries = new Map(Object.entries(header));
  const metadata = new Map(Object.entries(entries.get("__metadata__") ?? {}));
  return {
    has: (name) => entries.has(name),
    tensor(name) {
      const { dtype, shape, data_offsets: offsets } = entries.get(name);
      const decode = DECODERS.get(dtype);
      if (!decode) throw new Error(`tensor ${name} has dtype ${dtype}`);
      const start = 8 + length;
      return { shape, data: decode(buffer.slice(start + offsets[0], start + offsets[1])) }; // slice aligns
    },
    metadata: (key) => metadata.get(key),
  };
}
