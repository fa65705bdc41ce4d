// The demo dollar on a test's own chain, and what it is there: contracts/DemoDollar.sol.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts';
import type { Hex } from 'viem';
import type { Chain } from './chain.mjs';

function creationCode(): Hex {
  const file = path.join(import.meta.dirname, '../contracts/out/DemoDollar.json');
  return `0x${(JSON.parse(readFileSync(file, 'utf8')) as { creation: string }).creation}`;
}

const word = (value: bigint | string) => BigInt(value).toString(16).padStart(64, '0');

/** Amounts are in 10⁻⁶ dollars. */
export class Dollar {
  private constructor(
    private readonly chain: Chain,
    private readonly giver: Hex,
    readonly address: Hex,
  ) {}

  static async deploy(chain: Chain): Promise<Dollar> {
    const [giver] = (await chain.rpc('eth_accounts')) as [Hex];
    const receipt = await mined(chain, { from: giver, data: creationCode() });
    return new Dollar(chain, giver, receipt.contractAddress);
  }

  /** A key of its own, with coins for gas. */
  async operator(): Promise<Hex> {
    const key = generatePrivateKey();
    await this.chain.fund(privateKeyToAddress(key));
    return key;
  }

  async give(to: string, amount: bigint) {
    // mint(address,uint256)
    await mined(this.chain, { from: this.giver, to: this.address, data: `0x40c10f19${word(to)}${word(amount)}` });
  }

  async balance(of: string): Promise<bigint> {
    // balanceOf(address)
    return BigInt(await this.chain.rpc('eth_call', { to: this.address, data: `0x70a08231${word(of)}` }, 'latest'));
  }
}

async function mined(chain: Chain, transaction: { from: Hex; to?: Hex; data: Hex }): Promise<{ contractAddress: Hex }> {
  const hash = await chain.rpc('eth_sendTransaction', { gas: '0x4c4b40', ...transaction });
  await chain.mine();
  const receipt = await chain.rpc('eth_getTransactionReceipt', hash);
  if (receipt?.status !== '0x1') throw new Error(`not mined, or reverted: ${JSON.stringify(receipt)}`);
  return receipt;
}
