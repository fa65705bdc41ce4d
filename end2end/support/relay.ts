// What MetaMask does on Monad with a plain payment: the account lends itself a contract's code (EIP-7702), and a relayer sends the payment as a
// transaction of its own to the account. The coin moves in an inner call, from the account to the payee.

import { concat, createPublicClient, createWalletClient, http, pad, toHex, type Hex, type PrivateKeyAccount } from 'viem';
import { freshAccount, viemChain } from './buyer.mjs';

/** Where the code is. */
const DELEGATE = '0xd05701570570157d0570157d0570157d0570157d';
/** Pays the second word to the address in the first, for anybody who asks: for tests only. */
const CODE = '0x60006000600060006020356000355af100';
const COIN = 10n ** 18n;

/** The hash of the relayer's transaction: the first payment of an account carries its authorization (type 4), later ones do not. */
export async function relay(chainId: number, url: string, account: PrivateKeyAccount, to: Hex, value: bigint): Promise<Hex> {
  const chain = viemChain(chainId, url);
  const transport = http(url, { retryCount: 0 });
  const node = createPublicClient({ chain, transport });
  const relayer = freshAccount();
  const ask = (method: string, ...params: unknown[]) => node.request({ method, params } as never);
  await ask('anvil_setCode', DELEGATE, CODE);
  await ask('anvil_setBalance', relayer.address, toHex(COIN));
  const { address } = account;
  const code = await node.getCode({ address });
  const nonce = await node.getTransactionCount({ address });
  const authorizationList = code ? undefined : [await account.signAuthorization({ contractAddress: DELEGATE, chainId, nonce })];
  return createWalletClient({ account: relayer, chain, transport }).sendTransaction({
    to: address,
    data: concat([pad(to), pad(toHex(value))]),
    gas: 200_000n,
    nonce: 0,
    maxFeePerGas: 100_000_000_000n,
    maxPriorityFeePerGas: 1_000_000_000n,
    ...(authorizationList && { authorizationList }),
  });
}
