// Contracts to look at, compiled from contracts/*.sol (npm run contracts).

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Hex } from 'viem';

function runtime(name: string): Hex {
  const artifact = path.join(import.meta.dirname, `../contracts/out/${name}.json`);
  return `0x${(JSON.parse(readFileSync(artifact, 'utf8')) as { runtime: string }).runtime}`;
}

/** A token whose owner may mint, pause, take fees and block accounts. */
export const TOKEN = runtime('DemoToken');
