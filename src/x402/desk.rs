//! What the server's side of the protocol works with. One per process, cheap to clone, in the context of every server function.

use std::{ops::Deref, sync::Arc};

use tokio::sync::Notify;

use super::offers::Seal;
use crate::{chain::Chain, evm::Address, ledger::Books, runs::Agent};

#[derive(Clone)]
pub struct Desk(Arc<Counter>);

pub struct Counter {
    pub books: Books,
    pub seal: Seal,
    /// In the order of preference; never empty.
    pub chains: Vec<Chain>,
    /// Where visitors pay to.
    pub pay_to: Address,
    /// Scheme, host and port, without a trailing slash: sign-in domain, `resource` and the cookie's `Secure` come from it.
    pub public_url: String,
    /// What is on sale.
    pub agents: Vec<Agent>,
    /// An offer's life, in milliseconds.
    pub offer_ttl_ms: i64,
    /// Rung when a run was held: a worker looks.
    pub held: Notify,
    /// Rung when somebody began to wait for a payment: the followers look.
    pub waiting: Arc<Notify>,
    /// Rung when any run changed: requests that wait look again.
    pub changed: Notify,
}

impl Desk {
    pub fn new(counter: Counter) -> Self {
        Self(Arc::new(counter))
    }
}

impl Deref for Desk {
    type Target = Counter;

    fn deref(&self) -> &Counter {
        &self.0
    }
}

impl Counter {
    pub fn chain(&self, network: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.network().id == network)
    }

    pub fn agent(&self, slug: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.card.slug == slug)
    }
}

/// Unix milliseconds, now. The only clock of the server's side.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
