"""Buys one run over MCP with the official Python packages (mcp, x402.mcp), and prints what came back as JSON."""

import asyncio
import json
import os
from types import SimpleNamespace

from eth_account import Account
from mcp import Client
from x402 import x402Client
from x402.mcp import wrap_mcp_client_with_payment
from x402.mechanisms.evm.exact import register_exact_evm_client


class AsX402WantsIt:
    """x402.mcp calls a tool with one mapping and reads `isError`, `structuredContent` and `_meta`; mcp 2 takes the parts of a call
    and has snake case. Only names are changed here."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call_tool(self, params, read_timeout_seconds=None):
        seconds = read_timeout_seconds.total_seconds() if read_timeout_seconds else None
        result = await self._client.call_tool(params["name"], params["arguments"], seconds, meta=params.get("_meta"))
        return SimpleNamespace(
            content=[part.model_dump(by_alias=True, exclude_none=True) for part in result.content],
            isError=result.is_error,
            structuredContent=result.structured_content,
            _meta=dict(result.meta or {}),
        )


async def main() -> None:
    payments = x402Client()
    register_exact_evm_client(payments, Account.from_key(os.environ["PRIVATE_KEY"]))
    payments.set_spend_controls(json.loads(os.environ["SPEND_CONTROLS"]))
    async with Client(os.environ["URL"]) as client:
        paying = wrap_mcp_client_with_payment(AsX402WantsIt(client), payments)
        result = await paying.call_tool(os.environ["TOOL"], json.loads(os.environ["INPUT"]))
    receipt = result.payment_response.model_dump(by_alias=True, exclude_none=True) if result.payment_response else None
    print(json.dumps({"error": result.is_error, "paid": result.payment_made, "receipt": receipt, "content": result.content}))


asyncio.run(main())
