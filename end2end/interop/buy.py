"""Buys one run with the official Python client (x402 with httpx), and prints what came back as JSON."""

import asyncio
import json
import os

from eth_account import Account
from x402 import x402Client
from x402.http.clients import x402HttpxClient
from x402.mechanisms.evm.exact import register_exact_evm_client


async def main() -> None:
    client = x402Client()
    register_exact_evm_client(client, Account.from_key(os.environ["PRIVATE_KEY"]))
    client.set_spend_controls(json.loads(os.environ["SPEND_CONTROLS"]))
    async with x402HttpxClient(client, timeout=60) as http:
        answer = await http.post(os.environ["URL"], json=json.loads(os.environ["INPUT"]))
    print(json.dumps({"status": answer.status_code, "receipt": answer.headers.get("payment-response"), "body": answer.text}))


asyncio.run(main())
