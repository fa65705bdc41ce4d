//! Runs: presented, held, worked on, captured or released. The transitions are here and nowhere else.

use super::store::{Books, Result};
use crate::{
    error::CallError,
    evm::Address,
    money::{Amount, Asset},
    run::RunState,
};

/// The sealed offer that the payment echoed (`x402::offers`): what the price was, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedTerms {
    pub price: Amount,
    pub asset: Asset,
    pub issued_ms: i64,
    pub expires_ms: i64,
    /// SHA-256 of the offer's random bits, lower-case hex.
    pub nonce_sha256: String,
}

/// A payment somebody showed us for a call.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// UUIDv7.
    pub id: String,
    pub agent: String,
    pub version: String,
    /// The presenter. The run is his alone; whether the money is, the chain will say.
    pub payer: Address,
    /// The exact body bytes: JSON, so text.
    pub input: String,
    /// Of the exact body bytes, lower-case hex.
    pub input_sha256: String,
    pub network: String,
    /// `tx/<hash>` or `credit/<uuid>`.
    pub proof: String,
    pub terms: Option<SealedTerms>,
    /// SHA-256 of the run's key, lower-case hex. The key is derived from the id, so that every answer can name it.
    pub key_sha256: String,
}

/// A row of `runs`, with what its deposit says.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: String,
    pub agent: String,
    pub version: String,
    pub payer: Address,
    pub state: RunState,
    pub input: Option<String>,
    pub input_sha256: String,
    pub network: String,
    pub proof: String,
    pub terms: Option<SealedTerms>,
    /// Set when it is held.
    pub price: Option<(Asset, Amount)>,
    /// The block that shows its transaction, not final yet; cleared when that block vanished (C7).
    pub included_block: Option<u64>,
    /// Of its deposit, once there is one.
    pub deposit_block: Option<u64>,
    pub output: Option<String>,
    pub output_sha256: Option<String>,
    pub engine: Option<String>,
    pub error: Option<CallError>,
    /// Counted before the work, since it was last held.
    pub attempts: u32,
    pub key_sha256: String,
    pub created_ms: i64,
    /// When it was last shown to us: what is not shown any more is not followed for ever.
    pub presented_ms: i64,
    pub held_ms: Option<i64>,
    pub finished_ms: Option<i64>,
}

#[derive(Clone, Debug)]
pub enum Presented {
    /// A new row in state `waiting`.
    New(Run),
    /// The same payer showed the same proof for the same agent and body before: that run (`presented_ms` renewed).
    Same(Run),
    /// The same payer used this proof for another agent or body.
    OtherUse(Run),
    /// The payer has `unseen_max` waiting runs already whose payment nobody has seen.
    TooManyUnseen,
}

#[derive(Clone, Debug)]
pub enum HeldOrNot {
    Held(Run),
    /// What the payer has is less than the price; nothing changed. The balance.
    TooLow(Amount),
    /// It was not waiting (or failed, or void for too little credit): somebody was faster.
    NotWaiting(Run),
    /// `failures_max` of this payer's runs failed within the hour. Milliseconds until the oldest of them is forgotten.
    FailingTooOften(u64),
}

/// A run that is ours to work on until the lease ends.
#[derive(Clone, Debug)]
pub enum Leased {
    Work {
        run: Run,
        token: String,
    },
    /// It was begun three times and never ended: to be released as failed, with this token.
    GaveOut {
        run: Run,
        token: String,
    },
}

/// Counted before the work.
pub const ATTEMPTS_MAX: u32 = 3;
/// Of one wallet, within an hour; more are a pause.
pub const FAILURES_MAX: u32 = 5;
/// Waiting runs of one wallet whose payment nobody has seen, shown to us in the last 15 minutes.
pub const UNSEEN_MAX: u32 = 3;
/// A waiting run that was not shown again for so long is no longer followed.
pub const FOLLOWED_MS: i64 = 15 * 60 * 1000;

impl Books {
    pub async fn present(&self, _new: &NewRun, _now_ms: i64) -> Result<Presented> {
        todo!()
    }

    /// `waiting`, `failed` (again, for free) or `void` for too little credit → `held`, from the payer's whole balance in that asset.
    /// Attempts start anew. A watch that asked for this very run is answered.
    pub async fn hold(&self, _run: &str, _asset: &Asset, _price: Amount, _now_ms: i64) -> Result<HeldOrNot> {
        todo!()
    }

    /// `waiting` → `void`: the proof was not what it should be. What arrived, if anything, is credit already.
    pub async fn void(&self, _run: &str, _why: &CallError, _now_ms: i64) -> Result<()> {
        todo!()
    }

    /// The oldest run that is held, or running with a lease that has ended. Counts the attempt.
    pub async fn lease_run(&self, _token: &str, _now_ms: i64, _for_ms: i64) -> Result<Option<Leased>> {
        todo!()
    }

    /// `false`: the lease was lost; stop.
    pub async fn renew_lease(&self, _run: &str, _token: &str, _until_ms: i64) -> Result<bool> {
        todo!()
    }

    /// `running` → `done`: stores the answer and takes its price. `false`: the lease was lost, nothing was written.
    pub async fn capture(&self, _run: &str, _token: &str, _output: &str, _engine: &str, _now_ms: i64) -> Result<bool> {
        todo!()
    }

    /// `running` → `failed`: the price goes back to the payer's balance. `false`: the lease was lost, nothing was written.
    pub async fn release(&self, _run: &str, _token: &str, _why: &CallError, _now_ms: i64) -> Result<bool> {
        todo!()
    }

    pub async fn run(&self, _id: &str) -> Result<Option<Run>> {
        todo!()
    }

    /// Newest first; `before`: a run's id, exclusive.
    pub async fn runs_of(&self, _payer: Address, _before: Option<&str>, _limit: u32) -> Result<Vec<Run>> {
        todo!()
    }

    /// A payer's runs that have not ended and were shown in the last [`FOLLOWED_MS`], or are held or running. Newest first.
    pub async fn under_way(&self, _payer: Address, _now_ms: i64) -> Result<Vec<Run>> {
        todo!()
    }

    /// All waiting runs of a network that were shown to us within [`FOLLOWED_MS`].
    pub async fn waiting(&self, _network: &str, _now_ms: i64) -> Result<Vec<Run>> {
        todo!()
    }

    /// Where a waiting run's transaction was seen, for the page's stages.
    pub async fn set_included(&self, _network: &str, _proof: &str, _block: Option<u64>) -> Result<()> {
        todo!()
    }

    /// A failure with `retry: no` that this very input of this agent and version had: it will have it again.
    pub async fn known_failure(&self, _agent: &str, _version: &str, _input_sha256: &str) -> Result<Option<CallError>> {
        todo!()
    }
}
