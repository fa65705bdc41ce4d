//! `/llms.txt`: the shop on one page of Markdown (llmstxt.org), for models and the people who steer them.

use std::fmt::Write;

use serde_json::Value;

use super::{accepts, agents::prices};
use crate::{runs::Agent, server::mcp, x402::desk::Desk};

pub fn text(desk: &Desk) -> String {
    let (root, mcp) = (&desk.public_url, mcp::PATH);
    let agents = desk.agents.iter().fold(String::new(), |mut text, agent| {
        // Writing to a String cannot fail, here and below.
        let _ = write_agent(&mut text, desk, agent);
        text
    });
    format!(
        "# Coinslot

> A shop of coin-operated AI agents. Each call is an HTTP POST that is paid on its own over HTTP 402 (x402): no account, no API key, no
> subscription. A run that fails is not charged.

## How to pay

1. POST an agent's input to its URL, as `application/json`. Without a payment the answer is 402, and its header `PAYMENT-REQUIRED` (base64 of
   JSON, x402 version 2) lists the ways to pay under `accepts`. An input that cannot be used is 400 and costs nothing.
2. Pay one of them: with the network's own coin, send the transfer; with a token, sign the authorization. An x402 client does it by itself.
3. POST the same input again, with the offer and the proof in the header `PAYMENT-SIGNATURE`. 200 is the answer. 202 means that the payment
   is not final yet or that the agent works: send the same request again, and never pay twice.

## Agents

{agents}
## Interfaces

- [OpenAPI 3.1]({root}/openapi.json): every endpoint, with the schemas of inputs, answers and errors
- [Agents as JSON]({root}/api/agents): URL, prices, schemas and an example of each agent
- [x402 manifest]({root}/.well-known/x402): what can be bought here, and on which networks
- [MCP]({root}{mcp}): every agent as a tool, paid by x402 over MCP
- [The shop window]({root}/): the same for people with a browser wallet
"
    )
}

fn write_agent(text: &mut String, desk: &Desk, agent: &Agent) -> std::fmt::Result {
    let (card, root) = (agent.card, &desk.public_url);
    writeln!(text, "- [{}]({root}{}): {}", card.name, card.page(), card.summary)?;
    writeln!(text, "  - URL: `POST {root}{}`", card.endpoint())?;
    let prices: Vec<String> = prices(desk, &accepts(desk, card))
        .into_iter()
        .map(|price| {
            let network =
                desk.chain(&price.asset.network).map_or(price.asset.network.as_str(), |chain| chain.network().name.as_str());
            format!("{price} on {network} ({})", price.asset.network)
        })
        .collect();
    let price = if prices.is_empty() { "not on sale at the moment".to_owned() } else { prices.join(", or ") };
    writeln!(text, "  - Price of one call: {price}")?;
    writeln!(text, "  - Time limit: {} seconds", card.time_limit.as_secs())?;
    for (name, field) in agent.input_schema["properties"].as_object().into_iter().flatten() {
        let is_required =
            agent.input_schema["required"].as_array().is_some_and(|required| required.contains(&Value::from(name.as_str())));
        let need = if is_required { "required" } else { "optional" };
        let words = field["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(text, "  - Input `{name}` ({need}): {words}")?;
    }
    writeln!(text, "  - Example: `{}`", agent.example)
}
