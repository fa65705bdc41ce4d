//! The API tab's programs: each buys one answer, and runs as it is printed (end2end/interop/snippets.test.mjs runs them).
//!
//! The official clients pay in tokens alone, and of these, unless they are told otherwise, only in those that they know by themselves: so
//! each program names the one token it may spend, and the most of it.

use serde_json::Value;

use crate::{
    evm::Address,
    money::Money,
    network::{Network, Token},
    pages::data::Snippet,
};

/// What a program calls.
pub struct Call<'a> {
    pub url: &'a str,
    /// One that the agent takes.
    pub input: &'a Value,
    /// `None`: it is sold for coins only, which no official client can pay with.
    pub price: Option<Price<'a>>,
}

/// In a token.
pub struct Price<'a> {
    pub money: Money,
    pub network: &'a Network,
    pub token: &'a Token,
}

/// curl for everybody; the clients where there is something they can pay with.
pub fn all(call: &Call<'_>) -> Vec<Snippet> {
    let snippet = |id: &str, title: &str, code: String| Snippet { id: id.to_owned(), title: title.to_owned(), code };
    let mut all = vec![snippet("curl", "curl, to see the price", curl(call))];
    if let Some(price) = &call.price {
        all.push(snippet("typescript", "TypeScript, with @x402/fetch", typescript(call, price)));
        all.push(snippet("python", "Python, with x402", python(call, price)));
        all.push(snippet("rust", "Rust, with x402-reqwest", rust(call, price)));
    }
    all
}

fn curl(Call { url, input, price }: &Call<'_>) -> String {
    let body = single_quoted(&input.to_string());
    let first = format!(
        "# The price: 402. PAYMENT-REQUIRED is JSON in base64, with every offer.\n\
         curl -i '{url}' \\\n  \
         -H 'Content-Type: application/json' \\\n  \
         -d {body}\n"
    );
    if price.is_none() {
        return first;
    }
    format!(
        "{first}\n\
         # To pay is to sign an offer, which curl cannot do. Put the signed payload, JSON in base64, into PAYMENT:\n\
         # as long as it is empty, this asks for the price again.\n\
         curl -i '{url}' \\\n  \
         -H 'Content-Type: application/json' \\\n  \
         -H \"PAYMENT-SIGNATURE: $PAYMENT\" \\\n  \
         -d {body}\n"
    )
}

fn typescript(Call { url, input, .. }: &Call<'_>, price: &Price<'_>) -> String {
    let Limits { network, asset, most, why, approval } = price.limits("// ", "  // ");
    format!(
        r"// npm install @x402/fetch@2 @x402/evm@2 viem@2
{approval}import {{ ExactEvmScheme }} from '@x402/evm';
import {{ wrapFetchWithPaymentFromConfig }} from '@x402/fetch';
import {{ privateKeyToAccount }} from 'viem/accounts';

const account = privateKeyToAccount(process.env.PRIVATE_KEY as `0x${{string}}`);
const pay = wrapFetchWithPaymentFromConfig(fetch, {{
  schemes: [{{ network: '{network}', client: new ExactEvmScheme(account) }}],
{why}  spendControls: {{
    allowedAssets: [{{ network: '{network}', asset: '{asset}', maxAmountPerPayment: '{most}' }}],
  }},
}});

const answer = await pay('{url}', {{
  method: 'POST',
  headers: {{ 'Content-Type': 'application/json' }},
  body: JSON.stringify({input}),
}});
{PENDING_SLASHES}console.log(answer.status, answer.headers.get('location') ?? '');
console.log(answer.headers.get('payment-response'));
console.log(await answer.text());
"
    )
}

fn python(Call { url, input, .. }: &Call<'_>, price: &Price<'_>) -> String {
    let Limits { network, asset, most, why, approval } = price.limits("# ", "# ");
    let input = python_literal(input);
    format!(
        r#"# pip install "x402[evm,httpx]"
{approval}import asyncio
import os

from eth_account import Account
from x402 import x402Client
from x402.http.clients import x402HttpxClient
from x402.mechanisms.evm.exact import ExactEvmScheme

client = x402Client()
client.register("{network}", ExactEvmScheme(Account.from_key(os.environ["PRIVATE_KEY"])))
{why}client.set_spend_controls({{
    "allowed_assets": [{{"network": "{network}", "asset": "{asset}", "max_amount_per_payment": "{most}"}}],
}})


async def main() -> None:
    # Longer than a payment takes to be final: httpx alone gives up after five seconds.
    async with x402HttpxClient(client, timeout=60) as http:
        answer = await http.post("{url}", json={input})
    {PENDING_HASHES}print(answer.status_code, answer.headers.get("location", ""))
    print(answer.headers.get("payment-response"))
    print(answer.text)


asyncio.run(main())
"#
    )
}

fn rust(Call { url, input, .. }: &Call<'_>, price: &Price<'_>) -> String {
    let Limits { network, asset, most, approval, .. } = price.limits("// ", "// ");
    let input = raw(&input.to_string());
    let money = &price.money;
    format!(
        r#"// cargo add alloy-primitives@1 alloy-signer-local@2 reqwest@0.13 x402-reqwest@2 x402-types@2
// cargo add tokio@1 -F macros,rt-multi-thread
// cargo add x402-chain-eip155@2 -F client,telemetry
{approval}use std::{{env, error::Error, sync::Arc}};

use alloy_primitives::U256;
use alloy_signer_local::PrivateKeySigner;
use reqwest::{{Client, header::CONTENT_TYPE}};
use x402_chain_eip155::V2Eip155ExactClient;
use x402_reqwest::{{ReqwestWithPayments, ReqwestWithPaymentsBuild, X402Client}};
use x402_types::scheme::client::{{PaymentCandidate, PaymentSelector}};

/// The client has no limit of its own, so here is one: {money} for a call, in the token's smallest unit, and no other token.
struct AtMost;

impl PaymentSelector for AtMost {{
    fn select<'a>(&self, offers: &'a [PaymentCandidate]) -> Option<&'a PaymentCandidate> {{
        offers.iter().find(|offer| {{
            offer.chain_id.to_string() == "{network}"
                && offer.asset.eq_ignore_ascii_case("{asset}")
                && offer.amount <= U256::from({most}u64)
        }})
    }}
}}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {{
    let signer: PrivateKeySigner = env::var("PRIVATE_KEY")?.parse()?;
    let payments = X402Client::new().register(V2Eip155ExactClient::new(Arc::new(signer))).with_selector(AtMost);
    let http = Client::new().with_payments(payments).build();

    let answer = http
        .post("{url}")
        .header(CONTENT_TYPE, "application/json")
        .body({input})
        .send()
        .await?;
    // 202: paid, but not final yet. GET `location` until the answer is there: another POST would pay again.
    println!("{{}} {{:?}}", answer.status(), answer.headers().get("location"));
    println!("{{:?}}", answer.headers().get("payment-response"));
    println!("{{}}", answer.text().await?);
    Ok(())
}}
"#
    )
}

const PENDING_SLASHES: &str =
    "// 202: paid, but not final yet. GET `location` until the answer is there: another call of `pay` would pay again.\n";
const PENDING_HASHES: &str =
    "# 202: paid, but not final yet. GET `location` until the answer is there: another POST would pay again.\n    ";

/// What a client is allowed to spend, and the comments that say so.
struct Limits {
    network: String,
    asset: Address,
    /// In the token's smallest unit.
    most: String,
    /// A line, or two.
    why: String,
    /// Empty where the token itself takes a signature.
    approval: String,
}

impl Price<'_> {
    fn limits(&self, comment: &str, indented: &str) -> Limits {
        let Self { money, network, token } = self;
        let known = if is_default_asset(network.chain_id, token.address) {
            "Without this it may spend up to a dollar on one call."
        } else {
            "Without this it pays nothing here: it does not know this token by itself."
        };
        let approval = if token.eip3009 {
            String::new()
        } else {
            let symbol = &token.symbol;
            format!(
                "{comment}{symbol} is paid through Permit2 here: approve {PERMIT2} for it once, in a transaction of your own.\n"
            )
        };
        Limits {
            network: network.id.clone(),
            asset: token.address,
            most: money.amount.to_string(),
            why: format!("{indented}{known}\n{indented}The most for one call: {money}, in the token's smallest unit.\n"),
            approval,
        }
    }
}

const PERMIT2: &str = "0x000000000022D473030F116dDEE9F6B43aC78BA3";

/// What the official clients pay in without being told, on the networks that come with this server (`DEFAULT_ASSETS` of @x402/evm 2.27).
fn is_default_asset(chain_id: u64, token: Address) -> bool {
    const MONAD_USDC: [u8; 20] =
        [0x75, 0x47, 0x04, 0xbc, 0x05, 0x9f, 0x8c, 0x67, 0x01, 0x2f, 0xed, 0x69, 0xbc, 0x8a, 0x32, 0x7a, 0x5a, 0xaf, 0xb6, 0x03];
    chain_id == 143 && token == Address(MONAD_USDC)
}

/// For a shell.
fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A raw string of Rust, with as many marks as it needs.
fn raw(text: &str) -> String {
    let mut marks = String::from("#");
    while text.contains(&format!("\"{marks}")) {
        marks.push('#');
    }
    format!("r{marks}\"{text}\"{marks}")
}

/// JSON's strings and numbers are Python's too; its three words are not.
fn python_literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(python_literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), python_literal(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::money::{Amount, Asset};
    use serde_json::json;

    fn network(chain_id: u64, token: Token) -> Network {
        Network {
            id: format!("eip155:{chain_id}"),
            chain_id,
            name: "Here".into(),
            slug: "here".into(),
            symbol: "MON".into(),
            decimals: 18,
            wallet_rpc_url: String::new(),
            explorer: None,
            faucet: None,
            gas_price_hint: Amount::ZERO,
            wallet_sponsors_gas: false,
            tokens: vec![token],
        }
    }

    fn usdc(address: &str, eip3009: bool) -> Token {
        Token {
            address: address.parse().unwrap(),
            symbol: "USDC".into(),
            decimals: 6,
            name: "USDC".into(),
            version: "2".into(),
            eip3009,
            permit2: true,
        }
    }

    fn printed(network: &Network, input: &Value) -> Vec<Snippet> {
        let token = &network.tokens[0];
        let asset = Asset { network: network.id.clone(), token: Some(token.address) };
        let money = Money { amount: Amount::from_atomic(1000), asset, symbol: "USDC".into(), decimals: 6 };
        all(&Call { url: "https://shop.example/api/x402/x", input, price: Some(Price { money, network, token }) })
    }

    const MONAD_USDC: &str = "0x754704Bc059F8C67012fEd69BC8A327a5aafb603";

    #[test]
    fn each_client_may_spend_one_token_up_to_todays_price() {
        let network = network(10143, usdc("0x534b2f3A21130d7a60830c2Df862319e593943A3", true));
        for snippet in &printed(&network, &json!({}))[1..] {
            let code = &snippet.code;
            assert!(code.contains("0x534b2f3a21130d7a60830c2df862319e593943a3"), "{code}");
            assert!(code.contains("eip155:10143") && code.contains("1000") && code.contains("0.001 USDC"), "{code}");
            assert!(code.contains("https://shop.example/api/x402/x") && !code.contains("Permit2"), "{code}");
        }
    }

    #[test]
    fn a_token_that_the_clients_do_not_know_is_named_as_such() {
        let why = |network: &Network| printed(network, &json!({}))[1].code.contains("pays nothing here");
        assert!(why(&network(10143, usdc("0x534b2f3A21130d7a60830c2Df862319e593943A3", true))));
        assert!(why(&network(10143, usdc(MONAD_USDC, true))), "the same address elsewhere");
        assert!(!why(&network(143, usdc(MONAD_USDC, true))));
    }

    #[test]
    fn a_token_without_eip3009_needs_its_approval() {
        for snippet in &printed(&network(143, usdc(MONAD_USDC, false)), &json!({}))[1..] {
            assert!(snippet.code.contains("approve 0x000000000022D473030F116dDEE9F6B43aC78BA3"), "{}", snippet.code);
        }
    }

    #[test]
    fn without_a_token_there_is_only_the_price_to_be_seen() {
        let all = all(&Call { url: "https://shop.example/api/x402/x", input: &json!({}), price: None });
        assert_eq!(all.iter().map(|snippet| snippet.id.as_str()).collect::<Vec<_>>(), ["curl"]);
        assert!(!all[0].code.contains("PAYMENT-SIGNATURE"));
    }

    #[test]
    fn an_input_stays_what_it_is_in_every_language() {
        let input = json!({ "text": "it's \"#1\"", "deep": [true, null, 1.5] });
        let [curl, typescript, python, rust] = printed(&network(143, usdc(MONAD_USDC, true)), &input).try_into().unwrap();
        assert!(curl.code.contains(r##"-d '{"deep":[true,null,1.5],"text":"it'\''s \"#1\""}'"##), "{}", curl.code);
        assert!(
            typescript.code.contains(r##"JSON.stringify({"deep":[true,null,1.5],"text":"it's \"#1\""})"##),
            "{}",
            typescript.code
        );
        assert!(python.code.contains(r##"json={"deep": [True, None, 1.5], "text": "it's \"#1\""}"##), "{}", python.code);
        assert!(rust.code.contains(r###".body(r##"{"deep":[true,null,1.5],"text":"it's \"#1\""}"##)"###), "{}", rust.code);
    }
}
