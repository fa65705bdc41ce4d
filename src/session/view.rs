//! Who is signed in, what stands to their credit and what is under way: `GET /api/session`, and what the page holds as one signal.

use serde::{Deserialize, Serialize};

use crate::{
    evm::{Address, TxHash},
    money::Money,
    run::RunView,
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// `None`: nobody is signed in; everything else is empty then.
    pub address: Option<Address>,
    /// Unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// What can be spent, per asset. Never an asset twice.
    pub credit: Vec<Money>,
    /// Payments and runs that have not ended (C9), newest first.
    pub under_way: Vec<RunView>,
    /// Payments that were found on chain and that nothing was run for yet.
    pub arrived: Vec<Arrived>,
    /// Watches whose payment was booked, or whose run is paid: their questions are answered, whatever a page remembers.
    #[serde(default)]
    pub answered: Vec<String>,
}

/// "Your payment arrived": what it was meant for, one click away, from credit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arrived {
    /// The watch that found it.
    pub watch: String,
    pub network: String,
    pub transaction: TxHash,
    pub transaction_url: Option<String>,
    /// The card's slug.
    pub agent: String,
    /// The exact body that was asked for.
    pub input: String,
}

#[cfg(feature = "ssr")]
pub use made::{of, spendable};

#[cfg(feature = "ssr")]
mod made;

impl SessionView {
    /// The credit in the asset of `price`, if there is any.
    pub fn credit_in(&self, price: &Money) -> Option<&Money> {
        self.credit.iter().find(|credit| credit.asset == price.asset && !credit.amount.is_zero())
    }

    /// Does the credit cover it?
    pub fn covers(&self, price: &Money) -> bool {
        self.credit_in(price).is_some_and(|credit| credit.amount >= price.amount)
    }
}
