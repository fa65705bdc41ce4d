//! The tables `[coinslot.network.<name>]`.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use url::Url;

use super::{optional, sources::Layers, token};
use crate::{
    chain::{ChainSettings, Finality},
    money::Amount,
    network::Network,
};

/// The networks that are sold on.
pub struct Networks {
    /// In the order of preference.
    pub chains: Vec<ChainSettings>,
    /// Of those that have one, by the network's id.
    pub facilitators: BTreeMap<String, Url>,
    /// The highest price of gas, in wei, that a settlement is signed for, by the network's id.
    pub gas_prices_max: BTreeMap<String, Amount>,
}

pub fn take(layers: &mut Layers) -> Option<Networks> {
    let known = layers.tables("network");
    let allowed = format!("names of networks that have a table, each once: {}", known.join(", "));
    let names = layers.take("networks", &allowed, |raw| {
        let names = raw.list()?;
        let distinct: HashSet<&String> = names.iter().collect();
        let usable = !names.is_empty() && distinct.len() == names.len() && names.iter().all(|name| known.contains(name));
        usable.then_some(names)
    })?;
    let networks: Vec<Option<One>> = names.iter().map(|name| one(layers, name)).collect();
    let networks = networks.into_iter().collect::<Option<Vec<_>>>()?;
    let chains: HashSet<u64> = networks.iter().map(|one| one.chain.network.chain_id).collect();
    if chains.len() != networks.len() {
        layers.refuse("networks", "networks with different chain ids");
        return None;
    }
    let id = |one: &One| one.chain.network.id.clone();
    let facilitators = networks.iter().filter_map(|one| Some((id(one), one.facilitator.clone()?))).collect();
    let gas_prices_max = networks.iter().map(|one| (id(one), one.gas_price_max)).collect();
    Some(Networks { chains: networks.into_iter().map(|one| one.chain).collect(), facilitators, gas_prices_max })
}

struct One {
    chain: ChainSettings,
    facilitator: Option<Url>,
    gas_price_max: Amount,
}

fn one(layers: &mut Layers, name: &str) -> Option<One> {
    let key = |key: &str| format!("network.{name}.{key}");
    let chain_id = layers.take(&key("chain_id"), "the chain's number, 1 or more", |raw| raw.number(1..=u64::from(u32::MAX)));
    let title = layers.take(&key("name"), "a name of 1 to 40 characters", |raw| word(raw.text()?, 40));
    let slug = layers.take(&key("slug"), "lower-case letters, digits and dashes", |raw| {
        optional(raw.text()?, |text| is_slug(text).then(|| text.to_owned()))
    });
    let symbol = layers.take(&key("symbol"), "the coin's symbol, 1 to 11 letters or digits", |raw| {
        word(raw.text()?, 11).filter(|symbol| symbol.bytes().all(|b| b.is_ascii_alphanumeric()))
    });
    let decimals = layers.take(&key("decimals"), "a whole number, 0 to 36", |raw| raw.number(0..=36));
    let rpc_urls = layers.take(&key("rpc_urls"), "one or more http:// or https:// URLs", |raw| {
        let urls = raw.list()?.iter().map(|url| web_url(url)).collect::<Option<Vec<_>>>()?;
        (!urls.is_empty()).then_some(urls)
    });
    let finality =
        layers.take(&key("finality"), "finalized, safe, or a number of confirmations (0 to 10000)", |raw| match raw.text() {
            Some(tag @ ("finalized" | "safe")) => Some(Finality::Tag(tag.to_owned())),
            _ => raw.number(0..=10_000).map(Finality::Confirmations),
        });
    let poll_ms = layers.take(&key("poll_ms"), "milliseconds, 50 to 60000", |raw| raw.number(50..=60_000));
    let timeout_ms = layers.take(&key("timeout_ms"), "milliseconds, 100 to 60000", |raw| raw.number(100..=60_000));
    let trace_urls = layers.take(&key("trace_urls"), "http:// or https:// URLs", |raw| {
        raw.list()?.iter().map(|url| web_url(url)).collect::<Option<Vec<_>>>()
    });
    let idle_look_s = layers.take(&key("idle_look_s"), "whole seconds, 1 to 86400", |raw| match raw.text() {
        Some("") => Some(IDLE_LOOK_S),
        _ => raw.number(1..=86_400),
    });
    let wallet_rpc_url = layers
        .take(&key("wallet_rpc_url"), "a public http:// or https:// URL", |raw| web_url(raw.text()?).map(|url| trimmed(&url)));
    let explorer = layers.take(&key("explorer"), "an http:// or https:// URL", |raw| {
        optional(raw.text()?, |text| web_url(text).map(|url| trimmed(&url)))
    });
    let faucet = layers.take(&key("faucet"), "an http:// or https:// URL", |raw| {
        optional(raw.text()?, |text| web_url(text).map(|url| trimmed(&url)))
    });
    let gas_price = layers.take(&key("gas_price_hint_gwei"), "whole gwei, 0 to 1000000", |raw| raw.number(0..=1_000_000));
    let sponsors = layers.take(&key("wallet_sponsors_gas"), "true or false", |raw| {
        // A table of the operator's own need not say it.
        if raw.text() == Some("") { Some(false) } else { raw.flag() }
    });
    let gas_price_max = layers.take(&key("gas_price_max_gwei"), "whole gwei, 1 to 1000000", |raw| {
        // A network's table of before it was asked for has none.
        if raw.text() == Some("") { Some(GAS_PRICE_MAX_GWEI) } else { raw.number(1..=1_000_000) }
    });
    let facilitator = layers
        .take(&key("facilitator_url"), "an http:// or https:// URL without a query", |raw| optional(raw.text()?, facilitator));
    let tokens = token::take(layers, name, symbol.as_deref());
    let chain_id = chain_id?;
    let chain = ChainSettings {
        network: Network {
            id: format!("eip155:{chain_id}"),
            chain_id,
            name: title?,
            slug: slug?.unwrap_or_else(|| name.to_owned()),
            symbol: symbol?,
            decimals: u8::try_from(decimals?).ok()?,
            wallet_rpc_url: wallet_rpc_url?,
            explorer: explorer?,
            faucet: faucet?,
            gas_price_hint: Amount::from_atomic(u128::from(gas_price?) * GWEI),
            wallet_sponsors_gas: sponsors?,
            tokens: tokens?,
        },
        rpc_urls: rpc_urls?,
        finality: finality?,
        poll: Duration::from_millis(poll_ms?),
        timeout: Duration::from_millis(timeout_ms?),
        trace_urls: trace_urls?,
        idle_look: Duration::from_secs(idle_look_s?),
    };
    let gas_price_max = Amount::from_atomic(u128::from(gas_price_max?) * GWEI);
    Some(One { chain, facilitator: facilitator?, gas_price_max })
}

/// For a table of before there was this key.
const IDLE_LOOK_S: u64 = 60;

/// Ten times what Monad charges at least; on no chain that we know has a settlement cost so much for longer than moments.
const GAS_PRICE_MAX_GWEI: u64 = 1_000;

/// Wei.
const GWEI: u128 = 1_000_000_000;

pub fn word(text: &str, max: usize) -> Option<String> {
    (1..=max).contains(&text.chars().count()).then(|| text.to_owned())
}

fn is_slug(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn web_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// With a slash at its end, so that joining `verify` keeps its whole path.
fn facilitator(text: &str) -> Option<Url> {
    let mut url = web_url(text).filter(|url| url.query().is_none() && url.fragment().is_none())?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}

fn trimmed(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
