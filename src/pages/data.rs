//! What the pages ask the server for: free server functions, by GET. The paid ones are the agents' own.

use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};
use serde::{Deserialize, Serialize};

use crate::{
    error::CallError,
    evm::{Address, TxHash},
    money::Money,
    network::Network,
    run::RunView,
    session::SessionView,
};

/// The shop as every page needs it. The same for everybody, fixed while the server runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shop {
    /// In the order of preference; never empty.
    pub networks: Vec<Network>,
    pub pay_to: Address,
    /// The shop's own address, without a trailing slash: what its snippets call.
    pub public_url: String,
    /// Today's prices of each agent on sale, by slug, in the order of the offers.
    pub prices: Vec<(String, Vec<Money>)>,
    /// `None` in `serve`.
    pub demo: Option<Demo>,
}

/// What only `coinslot demo` has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Demo {
    /// A contract worth X-raying, on the demo's own chain.
    pub example_contract: Address,
}

impl Shop {
    pub fn network(&self, id: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.id == id)
    }

    /// Not every shop has what every agent needs.
    pub fn sells(&self, slug: &str) -> bool {
        self.prices.iter().any(|(agent, _)| agent == slug)
    }

    /// What an agent costs, once in each asset: in coin first, then as it is offered. The first is the one that the card shows.
    pub fn prices_of(&self, slug: &str) -> Vec<&Money> {
        let all = self.prices.iter().filter(|(agent, _)| agent == slug).flat_map(|(_, prices)| prices);
        let mut prices: Vec<&Money> = Vec::new();
        for price in all {
            if !prices.iter().any(|known| known.asset == price.asset) {
                prices.push(price);
            }
        }
        prices.sort_by_key(|price| price.asset.token.is_some());
        prices
    }
}

/// How a program buys from an agent, in one language: it runs as it stands, with the payer's key in `PRIVATE_KEY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snippet {
    /// One lower-case word: `typescript`.
    pub id: String,
    /// As its heading: `TypeScript, with @x402/fetch`.
    pub title: String,
    pub code: String,
}

/// What the network charged for a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charged {
    /// To three digits, as every fee.
    pub fee: Money,
    /// Somebody else than the payer sent the transaction, and paid for it.
    pub sponsored: bool,
}

impl Charged {
    /// What follows the figure.
    pub fn by(&self) -> Option<&'static str> {
        self.sponsored.then_some(", paid by the wallet's sponsor")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    pub credit: Vec<Money>,
    pub lines: Vec<Line>,
    /// Pass it as `before` for the next page.
    pub more: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    pub id: String,
    /// Unix milliseconds.
    pub at_ms: i64,
    pub what: What,
    pub money: Money,
    pub run: Option<String>,
    /// The agent's name.
    pub agent: Option<String>,
    pub transaction: Option<TxHash>,
    pub transaction_url: Option<String>,
}

/// What a line of the statement did to the credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A payment arrived: more.
    Deposit,
    /// Set aside for a run: less.
    Hold,
    /// The run succeeded: what was set aside is spent. The credit does not change.
    Capture,
    /// The run failed: what was set aside is back.
    Release,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Newest first.
    pub runs: Vec<RunView>,
    /// Pass it as `before` for the next page.
    pub more: Option<String>,
}

#[server(prefix = "/api/page", endpoint = "shop", input = GetUrl, output = Json)]
pub async fn the_shop() -> Result<Shop, CallError> {
    server::shop()
}

/// Ready to be copied: with this shop's address, this agent's example and today's price. `NoSuchAgent` for what is not on sale.
#[server(prefix = "/api/page", endpoint = "snippets", input = GetUrl, output = Json)]
pub async fn the_snippets(agent: String) -> Result<Vec<Snippet>, CallError> {
    server::told(server::snippets(&agent))
}

/// The same as `GET /api/session`.
#[server(prefix = "/api/page", endpoint = "session", input = GetUrl, output = Json)]
pub async fn my_session() -> Result<SessionView, CallError> {
    server::told(server::session().await)
}

/// Of the signed-in wallet. `NotSignedIn` without one.
#[server(prefix = "/api/page", endpoint = "history", input = GetUrl, output = Json)]
pub async fn my_history(before: Option<String>) -> Result<History, CallError> {
    server::told(server::history(before).await)
}

/// One's own run, or the run whose key is given. `NoSuchRun` for everybody else's (E1).
#[server(prefix = "/api/page", endpoint = "run", input = GetUrl, output = Json)]
pub async fn my_run(id: String, key: Option<String>) -> Result<RunView, CallError> {
    server::told(server::run(id, key).await)
}

/// What the network charged for such a run's payment (P4). `None` where nobody knows it now, or nothing was charged: the page does without.
#[server(prefix = "/api/page", endpoint = "fee", input = GetUrl, output = Json)]
pub async fn my_fee(id: String, key: Option<String>) -> Result<Option<Charged>, CallError> {
    server::told(server::charged(id, key).await)
}

/// The answer of such a run as HTML, for reading. `NoSuchRun` for everybody else's, and where its answer was deleted.
#[server(prefix = "/api/page", endpoint = "report", input = GetUrl, output = Json)]
pub async fn my_report(id: String, key: Option<String>) -> Result<String, CallError> {
    server::told(server::report(id, key).await)
}

/// What an answer of the agent looks like, as HTML. `NoSuchAgent` for what this shop never had.
#[server(prefix = "/api/page", endpoint = "sample", input = GetUrl, output = Json)]
pub async fn the_sample(agent: String) -> Result<String, CallError> {
    server::told(server::sample(&agent))
}

/// Of the signed-in wallet. `NotSignedIn` without one.
#[server(prefix = "/api/page", endpoint = "statement", input = GetUrl, output = Json)]
pub async fn my_statement(before: Option<String>) -> Result<Statement, CallError> {
    server::told(server::statement(before).await)
}

#[cfg(feature = "ssr")]
mod fee;
#[cfg(feature = "ssr")]
mod server;
