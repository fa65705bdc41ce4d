//! `x-payment-info`: what an operation costs, in the form that registries read (`@agentcash/discovery`, its `docs/SPECIFICATION.md`, "Payment
//! Metadata"). One price, in whole units; all ways to pay are in `x-payment` and in the 402.

use serde_json::{Value, json};

use super::super::agents::prices;
use crate::{
    card::Card,
    money::Money,
    x402::{desk::Desk, wire::Offer},
};

/// Currencies whose tokens are worth as much: `USDC`, `AUSD` and `USDT0` are dollars.
const PEGGED: [&str; 2] = ["USD", "EUR"];
/// ISO 4217: what is no currency. Readers take a price that names none for dollars.
const NO_CURRENCY: &str = "XXX";

/// The price in a currency that everybody knows, if there is one, else in the first asset that it is sold for. An agent that cannot be paid for right now
/// has the price that it will have.
pub fn of(desk: &Desk, card: &Card, accepts: &[Offer]) -> Value {
    let mut all = prices(desk, accepts);
    if all.is_empty() {
        all = desk.prices(card);
    }
    let mut networks: Vec<&str> = Vec::new();
    for offer in accepts {
        if !networks.contains(&offer.network.as_str()) {
            networks.push(&offer.network);
        }
    }
    let mut info = json!({ "protocols": [{ "x402": { "version": 2, "networks": networks } }] });
    if let Some(price) = all.iter().find(|price| pegged(price).is_some()).or(all.first()) {
        info["price"] = json!({ "mode": "fixed", "currency": currency(price), "amount": price.amount.to_units(price.decimals) });
    }
    info
}

fn pegged(price: &Money) -> Option<&'static str> {
    price.asset.token?;
    PEGGED.into_iter().find(|currency| price.symbol.contains(currency))
}

/// Three capital letters, or the whole of it is not read: a coin's symbol, where it is that short.
fn currency(price: &Money) -> &str {
    let symbol = price.symbol.as_str();
    let is_code = symbol.len() == 3 && symbol.bytes().all(|letter| letter.is_ascii_uppercase());
    pegged(price).unwrap_or(if is_code { symbol } else { NO_CURRENCY })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evm::Address,
        money::{Amount, Asset},
    };

    #[test]
    fn f1_a_currency_is_three_capital_letters_and_never_a_wrong_one() {
        let money = |symbol: &str, token| Money {
            amount: Amount::from_atomic(1),
            asset: Asset { network: "eip155:143".into(), token },
            symbol: symbol.into(),
            decimals: 6,
        };
        let token = Some(Address([7; 20]));
        for (symbol, token, told) in [
            ("USDC", token, "USD"),
            ("AUSD", token, "USD"),
            ("EURC", token, "EUR"),
            ("MON", None, "MON"),
            ("WMON", token, "XXX"),
            ("AVAX", None, "XXX"),
            ("mon", None, "XXX"),
            // A coin of its own is no dollar, whatever it is called.
            ("USDX", None, "XXX"),
        ] {
            assert_eq!(currency(&money(symbol, token)), told, "{symbol}");
        }
    }
}
