//! Who settles token payments, whether they can, and whether it pays.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::{Line, is_open};
use crate::http_client;
use crate::{
    card::Card,
    chain::Chain,
    evm::Address,
    money::Amount,
    network::Network,
    server::settings::{OperatorKey, Settings, Settler},
    x402::{authorization::number, facilitator::token_is_as_configured},
};

const SUBJECT: &str = "settling";
const TOKEN: &str = "token";

/// Gas of one settlement, roughly: `transferWithAuthorization` of USDC takes 75,000 to 90,000, Permit2 through x402's proxy a little more.
const SETTLE_GAS: u64 = 100_000;

/// Settlements that the operator's coins should pay for at least, before somebody has to look after them.
const SETTLEMENTS: u64 = 100;

/// For a facilitator's answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The key itself. Only worth a line where there is one.
pub fn key(settings: &Settings) -> Option<Line> {
    let address = settings.operator_key.as_ref().map(OperatorKey::address)?;
    match &settings.operator_key_file {
        Some(file) if is_open(file) => {
            let file = file.display();
            Some(Line::todo("operator", format!("{file}, the key of {address}, can be read by others: chmod 600 {file}")))
        }
        _ => Some(Line::ok("operator", format!("{address} settles token payments and pays the gas"))),
    }
}

/// One network's tokens. None there, no lines.
pub async fn look_at(settings: &Settings, chain: &Chain, cards: &[&Card]) -> Vec<Line> {
    let network = chain.network();
    if network.tokens.is_empty() {
        return Vec::new();
    }
    let tokens = network.tokens.iter().map(|token| token.symbol.as_str()).collect::<Vec<_>>().join(", ");
    let sold = format!("{tokens} on {}", network.name);
    match settings.settler(&network.id) {
        None => vec![Line::todo(
            SUBJECT,
            format!("{sold} is not offered, nobody settles it: set COINSLOT_OPERATOR_KEY_FILE, or the network's facilitator_url"),
        )],
        Some(Settler::Facilitator(url)) => vec![facilitator(url, &sold, network).await],
        Some(Settler::Operator(key)) => {
            let mut lines = operator(key.address(), &sold, chain, cards).await;
            lines.extend(too_dear(settings, chain, &sold).await);
            lines
        }
    }
}

/// Is each token on the chain what the settings say? What is signed for another domain moves nothing. Nobody settles, no lines.
pub async fn look_at_tokens(settings: &Settings, chain: &Chain) -> Vec<Line> {
    let network = chain.network();
    let mut lines = Vec::new();
    if settings.settler(&network.id).is_none() {
        return lines;
    }
    for token in &network.tokens {
        let place = format!("{} at {} on {}", token.symbol, token.address, network.name);
        match token_is_as_configured(chain, token).await {
            Ok(true) => lines.push(Line::ok(TOKEN, format!("{place} is what the settings say"))),
            Ok(false) => lines.push(Line::bad(
                TOKEN,
                format!(
                    "{place} is not what the settings say, so it is not offered: correct its address, name, version or decimals"
                ),
            )),
            Err(away) => {
                lines.push(Line::bad(TOKEN, format!("{place}: nobody knows whether it is what the settings say: {away}")))
            }
        }
    }
    lines
}

async fn operator(address: Address, sold: &str, chain: &Chain, cards: &[&Card]) -> Vec<Line> {
    let network = chain.network();
    let balance = match chain.balance(address).await {
        Ok(balance) => balance,
        Err(away) => return vec![Line::bad(SUBJECT, format!("{sold}: nobody knows whether {address} can pay the gas: {away}"))],
    };
    let gas_price = chain.gas_price().await.unwrap_or(network.gas_price_hint);
    let Some((one, many)) = gas_price.times(SETTLE_GAS).and_then(|one| Some((one, one.times(SETTLEMENTS)?))) else {
        return vec![Line::bad(SUBJECT, format!("{sold}: the price of gas, {gas_price} wei, is beyond all bounds"))];
    };
    let owns = format!("{sold} by the operator, {address}, who owns {}", network.coin(balance));
    let (each, wanted) = (network.coin(one), network.coin(many));
    let mut lines = vec![if balance < one {
        Line::bad(SUBJECT, format!("{owns}: not enough for the gas of one payment, about {each}. Send it {wanted}"))
    } else if balance < many {
        Line::todo(
            SUBJECT,
            format!("{owns}: not enough for {SETTLEMENTS} payments at about {each} of gas each. Keep {wanted} there"),
        )
    } else {
        Line::ok(SUBJECT, format!("{owns}: enough for {SETTLEMENTS} payments and more, at about {each} of gas each"))
    }];
    lines.extend(cards.iter().filter_map(|card| loss(card, one, network)));
    lines
}

/// What a settlement would be signed for now, against what the settings allow.
async fn too_dear(settings: &Settings, chain: &Chain, sold: &str) -> Option<Line> {
    let network = chain.network();
    let most = u128::try_from(number(*settings.gas_prices_max.get(&network.id)?)).ok()?;
    // That no node answers is in other lines.
    let asked = chain.fees().await.ok()?.max_fee_per_gas;
    (asked > most).then(|| {
        let (asked, most) = (asked / GWEI, most / GWEI);
        Line::bad(
            SUBJECT,
            format!(
                "{sold}: the network asks {asked} gwei for gas, and {most} are signed for at most, so tokens wait: raise gas_price_max_gwei, or \
                 change rpc_urls if its node lies"
            ),
        )
    })
}

/// Wei.
const GWEI: u128 = 1_000_000_000;

/// Nobody here knows what a token is worth in coins, but a card's author said so, where it is priced in both.
fn loss(card: &Card, gas: Amount, network: &Network) -> Option<Line> {
    let prices: Vec<_> = card.price.iter().filter_map(|price| network.price(price).ok().flatten()).collect();
    let in_coin = prices.iter().find(|price| price.asset.token.is_none())?;
    let in_token = prices.iter().find(|price| price.asset.token.is_some())?;
    (gas > in_coin.amount).then(|| {
        let (slug, gas) = (card.slug, network.coin(gas));
        let sentence = format!(
            "settling costs more than the price: a call of {slug} for {in_token} costs the operator about {gas} of gas, and {slug} is sold \
             for {in_coin}. Raise its price, or name a facilitator_url that pays the gas"
        );
        Line::todo(SUBJECT, sentence)
    })
}

/// What a facilitator says it settles, as far as it is read.
#[derive(Deserialize)]
struct Supported {
    kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    scheme: String,
    network: String,
}

async fn facilitator(url: &Url, sold: &str, network: &Network) -> Line {
    // Its path may hold a key.
    let place = url.origin().ascii_serialization();
    match supported(url).await {
        Ok(Supported { kinds }) if kinds.iter().any(|kind| kind.scheme == "exact" && kind.network == network.id) => {
            Line::ok(SUBJECT, format!("{sold} by the facilitator at {place}"))
        }
        Ok(_) => {
            Line::bad(SUBJECT, format!("{sold}: the facilitator at {place} does not settle on {}: name another", network.id))
        }
        Err(cause) => {
            Line::bad(SUBJECT, format!("{sold}: the facilitator at {place} does not answer: {cause}; correct facilitator_url"))
        }
    }
}

/// In words without its URL.
async fn supported(url: &Url) -> Result<Supported, String> {
    let told = |cause: reqwest::Error| {
        let cause = cause.without_url();
        std::error::Error::source(&cause).map_or_else(|| cause.to_string(), ToString::to_string)
    };
    let url = url.join("supported").map_err(|cause| cause.to_string())?;
    let answer = http_client::builder().build().map_err(told)?.get(url).timeout(PATIENCE).send().await.map_err(told)?;
    answer.error_for_status().map_err(told)?.json().await.map_err(told)
}
