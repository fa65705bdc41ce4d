//! A run as its payer sees it: the page's, the programs' (`GET /api/runs/<id>`) and the receipt's view of one row of the ledger.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::CallError,
    evm::{Address, TxHash},
    money::Money,
};

/// `waiting → held → running → done | failed | void`; a failed run may be held again. The transitions are `ledger::runs`'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Shown to us with a proof that is not final yet. Nothing is held.
    Waiting,
    /// Its price is held; a worker will take it.
    Held,
    Running,
    /// Its price was captured, once, and its answer stored.
    Done,
    /// The agent failed; the price was released and is credit.
    Failed,
    /// It never got a price held: the proof was not what it should be. What arrived, if anything, is credit.
    Void,
}

impl RunState {
    pub const ALL: [Self; 6] = [Self::Waiting, Self::Held, Self::Running, Self::Done, Self::Failed, Self::Void];

    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Void => "void",
        }
    }

    /// Nothing more happens to it by itself.
    pub fn ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Void)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for RunState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.word() == text).ok_or(())
    }
}

/// All times are Unix milliseconds, UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunView {
    /// UUIDv7.
    pub id: String,
    /// The card's slug.
    pub agent: String,
    /// The card's name, or the slug where the agent is no longer on sale (E10).
    pub agent_name: String,
    pub version: String,
    pub state: RunState,
    pub payer: Address,
    /// `None` until a price was held.
    pub price: Option<Money>,
    /// CAIP-2.
    pub network: String,
    /// Where its payment went, or is signed to go. `None` for a run paid from credit, and while its payment is not seen.
    #[serde(default)]
    pub pay_to: Option<Address>,
    /// The payment's transaction, or the one in which the shop settled it; `None` for a run paid from credit.
    pub transaction: Option<TxHash>,
    /// Its payment is a signed token authorization: `transaction` is the shop's, and nothing was charged before it is final.
    #[serde(default)]
    pub authorized: bool,
    /// Where the network's explorer shows it.
    pub transaction_url: Option<String>,
    /// The block that the payment is final in.
    pub block: Option<u64>,
    pub created_at_ms: i64,
    pub held_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
    /// Counted before the work.
    pub attempts: u32,
    /// `None` where it was deleted.
    pub input: Option<Value>,
    /// Of the exact body bytes, lower-case hex.
    pub input_sha256: String,
    pub output: Option<Value>,
    pub output_sha256: Option<String>,
    /// What made the answer: `computed`, or a model's name.
    pub engine: Option<String>,
    /// Why it failed or was void.
    pub error: Option<CallError>,
}

impl RunView {
    /// Its payment was signed and not used, yet or for good: nothing was charged.
    pub fn is_unused_authorization(&self) -> bool {
        self.authorized && self.block.is_none()
    }
}
