// What Python says, as tests/support/web_vectors.py writes it.

import { readFileSync } from "node:fs";
import { LogitSurface } from "../../../taskvec_demo/ui/web/surface.js";

const path = process.env.TASKVEC_VECTORS ?? new URL("vectors.json", import.meta.url);

/** @type {any} */
export const python = JSON.parse(readFileSync(path, "utf8"));

/** @param {string} file in base64 @param {number} low @param {number} high */
export const load = (file, low = python.low, high = python.high) =>
  new LogitSurface(Uint8Array.from(Buffer.from(file, "base64")).buffer, low, high);
