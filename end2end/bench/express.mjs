// An express server that sells one path with @x402/express, for `make bench-402`. Its facilitator is a stand-in that is never asked to verify: an unpaid
// call is answered without it.
import express from 'express';
import { x402ResourceServer } from '@x402/core/server';
import { ExactEvmScheme } from '@x402/evm/exact/server';
import { paymentMiddleware } from '@x402/express';

const path = process.argv[2] ?? '/';
const network = 'eip155:84532';
const facilitator = {
  getSupported: async () => ({ kinds: [{ x402Version: 2, scheme: 'exact', network }], extensions: [], signers: {} }),
  verify: async () => ({ isValid: false, invalidReason: 'unexpected_verify_error' }),
  settle: async () => ({ success: false, errorReason: 'unexpected_settle_error', transaction: '', network }),
};
const server = new x402ResourceServer(facilitator).register(network, new ExactEvmScheme());
const route = {
  accepts: [{ scheme: 'exact', price: '$0.001', network, payTo: '0xc0157070c0157070c0157070c0157070c0157070' }],
  description: 'Who can mint, block, pause, upgrade or drain: read from a contract’s code, with no source needed.',
  mimeType: 'application/json',
};
const app = express();
app.use(express.json());
app.use(paymentMiddleware({ [`POST ${path}`]: route }, server));
app.post(path, (_, answer) => void answer.json({}));
const listener = app.listen(0, '127.0.0.1', () => console.log(`open at http://127.0.0.1:${listener.address().port}`));
