//! Runs as rows, read by whoever asks. Their transitions are in `present`, `hold` and `work`, in this order; of those that an
//! authorization pays in `claim`, `work` and `settle`; and nowhere else.

use sqlx::{Row, any::AnyRow};

use super::{
    authorizations::{AuthorizationState, RunAuthorization, authorization_of},
    columns::{AFTER_ALL, PAGE_MAX, read, read_optional, unsigned},
    present::PAYMENT,
    store::{Books, BooksError, Result, Tx},
};
use crate::{
    error::{CallError, Code, Retry},
    evm::{Address, TxHash},
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
    /// `tx/<hash>`, `credit/<uuid>`, or an authorization's identity.
    pub proof: String,
    /// The client's own id for this payment (x402's payment-identifier), if it gave one: 16 to 128 of `[A-Za-z0-9_-]`.
    pub payment_id: Option<String>,
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
    /// Where its payment went, or is signed to go. `None`: paid from credit, or not seen yet.
    pub pay_to: Option<Address>,
    /// Of its payment: the one that was shown, else its deposit's, else the one that we sent to settle it. `None`: paid from credit, or
    /// not sent yet.
    pub transaction: Option<TxHash>,
    /// What settling needs, where an authorization pays it.
    pub authorization: Option<RunAuthorization>,
    pub output: Option<String>,
    pub output_sha256: Option<String>,
    pub engine: Option<String>,
    pub error: Option<CallError>,
    /// Counted before the work, since it was last held.
    pub attempts: u32,
    /// Those of them that the agent itself broke.
    pub broke: u32,
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
    /// The payer used this payment id for another proof, agent or body: that run.
    PaymentIdTaken(Run),
    /// The payer has `unseen_max` waiting runs already whose payment nobody has seen.
    TooManyUnseen,
    /// The payer began [`NEVER_HELD_MAX`] calls within the hour that nothing was held for: from credit, or with transactions that are not booked
    /// to them.
    TooManyVoid,
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
    /// Its answer is stored and its authorization is not settled: nothing is left but to settle. No attempt was counted.
    Settle {
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
/// Runs of one wallet that wait or are void and were shown to us within [`NEVER_HELD_WITHIN_MS`], of those from credit and of those with a
/// transaction: each is a row that cost nobody anything.
pub const NEVER_HELD_MAX: u32 = 20;
pub const NEVER_HELD_WITHIN_MS: i64 = 60 * 60 * 1000;
/// A waiting run that was not shown again for so long is no longer followed.
pub const FOLLOWED_MS: i64 = 15 * 60 * 1000;

/// What an agent calls final for an input was so then: a contract is deployed, a page comes back. After so long it is for sale again.
pub const FAILURE_KNOWN_MS: i64 = 60 * 60 * 1000;
/// Failures of one input that are read, of all networks together. One that is not read is found out by the next payer, who is not charged.
const KNOWN_FAILURES_READ: i64 = 64;

/// An input that its agent called final on a network.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownFailure {
    /// CAIP-2: where the run that failed was paid.
    pub network: String,
    pub error: CallError,
    /// Unix milliseconds: until then it is not asked for there.
    pub until_ms: i64,
}

/// A `select` of whole rows: its `where` and what follows. A deposit of somebody else's is none of the presenter's business.
macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "select r.run_id, r.agent, r.version, r.payer, r.state, r.input, r.input_sha256, r.network, r.proof,
                    r.terms_price, r.terms_asset, r.terms_issued_ms, r.terms_expires_ms, r.terms_nonce_sha256,
                    r.asset, r.price, r.included_block, d.block as deposit_block,
                    d.transaction_hash as deposit_transaction, d.pay_to as deposit_pay_to, r.output, r.output_sha256, r.engine, r.error,
                    r.attempts, r.broke, r.lease_token, r.lease_until_ms, r.key_sha256, r.created_ms, r.presented_ms, r.held_ms, r.finished_ms,
                    a.method, a.asset as token, a.pay_to, a.amount, a.valid_before_ms, a.signed, a.since_block, a.settle_first,
                    cast(case when a.answer is null then 0 else 1 end as bigint) as answered,
                    a.transaction_hash as sent_transaction, a.raw, a.sent_ms, a.state as authorization_state
             from runs r
             left join deposits d on d.network = r.network and d.proof = r.proof and d.payer = r.payer
             left join authorizations a on a.run_id = r.run_id ",
            $rest
        )
    };
}
pub(super) use select_runs;

impl Books {
    pub async fn run(&self, id: &str) -> Result<Option<Run>> {
        let row = sqlx::query(select_runs!("where r.run_id = $1")).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(run_of).transpose()
    }

    /// Newest first; `before`: a run's id, exclusive.
    pub async fn runs_of(&self, payer: Address, before: Option<&str>, limit: u32) -> Result<Vec<Run>> {
        let rows = sqlx::query(select_runs!("where r.payer = $1 and r.run_id < $2 order by r.run_id desc limit $3"))
            .bind(payer.to_string())
            .bind(before.unwrap_or(AFTER_ALL))
            .bind(i64::from(limit.min(PAGE_MAX)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(run_of).collect()
    }

    /// A payer's runs that have not ended and were shown in the last [`FOLLOWED_MS`], or are held or running. Newest first.
    pub async fn under_way(&self, payer: Address, now_ms: i64) -> Result<Vec<Run>> {
        let rows = sqlx::query(select_runs!(
            "where r.payer = $1 and r.state in ('waiting', 'held', 'running') and (r.state <> 'waiting' or r.presented_ms > $2)
             order by r.run_id desc"
        ))
        .bind(payer.to_string())
        .bind(now_ms.saturating_sub(FOLLOWED_MS))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(run_of).collect()
    }

    /// Only how far it is: a request that waits for it reads the rest once, at the end.
    pub async fn state_of(&self, id: &str) -> Result<Option<RunState>> {
        let row = sqlx::query("select state from runs where run_id = $1").bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(|row| read(row, "state")).transpose()
    }

    /// Where this very input of this agent and version failed for good, by the agent's own word, within [`FAILURE_KNOWN_MS`]: on each network
    /// the newest. One read, of few rows.
    pub async fn known_failures(&self, agent: &str, version: &str, input_sha256: &str, now_ms: i64) -> Result<Vec<KnownFailure>> {
        let newest_first: Vec<(String, String, i64)> = sqlx::query_as(
            "select network, error, finished_ms from runs
             where agent = $1 and version = $2 and input_sha256 = $3 and state = 'failed' and error_final = 1 and finished_ms > $4
             order by finished_ms desc limit $5",
        )
        .bind(agent)
        .bind(version)
        .bind(input_sha256)
        .bind(now_ms.saturating_sub(FAILURE_KNOWN_MS))
        .bind(KNOWN_FAILURES_READ)
        .fetch_all(&self.pool)
        .await?;
        let mut known: Vec<KnownFailure> = Vec::new();
        for (network, error, finished_ms) in newest_first {
            if known.iter().all(|failure| failure.network != network) {
                let until_ms = finished_ms.saturating_add(FAILURE_KNOWN_MS);
                known.push(KnownFailure { network, error: read_error(&error)?, until_ms });
            }
        }
        Ok(known)
    }
}

/// A run that is known to be there, as our transaction sees it.
pub(super) async fn whole(tx: &mut Tx, id: &str) -> Result<Run> {
    let row = sqlx::query(select_runs!("where r.run_id = $1")).bind(id).fetch_optional(&mut **tx).await?;
    row.as_ref().map(run_of).transpose()?.ok_or_else(|| BooksError::refused(format_args!("there is no run {id}")))
}

impl Run {
    /// Void for a reason that may be gone: the credit was too low, the payment had not been seen, or it was of a kind that nobody could book then.
    pub(super) fn may_be_judged_again(&self) -> bool {
        let may_be_gone = |error: &CallError| {
            matches!(error.code, Code::AmountTooLow | Code::UnsupportedTransfer) || error.retry == Retry::SamePayment
        };
        self.state == RunState::Void && self.error.as_ref().is_some_and(may_be_gone)
    }
}

impl Run {
    /// An authorization pays it that is not settled: its price is signed for, not held.
    pub fn nothing_is_held(&self) -> bool {
        self.authorization.as_ref().is_some_and(|paid| paid.state != AuthorizationState::Settled)
    }

    /// The agent has answered, and the payment is yet to come.
    pub fn is_to_be_settled(&self) -> bool {
        self.nothing_is_held() && self.authorization.as_ref().is_some_and(|paid| paid.answered)
    }
}

pub(super) fn run_of(row: &AnyRow) -> Result<Run> {
    let terms = match read_optional(row, "terms_price")? {
        Some(price) => Some(SealedTerms {
            price,
            asset: read(row, "terms_asset")?,
            issued_ms: row.try_get("terms_issued_ms")?,
            expires_ms: row.try_get("terms_expires_ms")?,
            nonce_sha256: row.try_get("terms_nonce_sha256")?,
        }),
        None => None,
    };
    let price = match read_optional(row, "price")? {
        Some(price) => Some((read(row, "asset")?, price)),
        None => None,
    };
    let proof: String = row.try_get("proof")?;
    let authorization = authorization_of(row)?;
    let sent = || authorization.as_ref().and_then(|authorization| authorization.sent.as_ref()).map(|sent| sent.transaction);
    let transaction = match proof.strip_prefix(PAYMENT) {
        Some(hash) => hash.parse().ok(),
        None => read_optional(row, "deposit_transaction")?.or_else(sent),
    };
    let signed_to = authorization.as_ref().map(|authorization| authorization.pay_to);
    let error: Option<String> = row.try_get("error")?;
    let count = |column: &str| -> Result<u32> {
        let count: i64 = row.try_get(column)?;
        u32::try_from(count).map_err(|_| BooksError::Corrupt(format!("{column}: {count}")))
    };
    Ok(Run {
        id: row.try_get("run_id")?,
        agent: row.try_get("agent")?,
        version: row.try_get("version")?,
        payer: read(row, "payer")?,
        state: read(row, "state")?,
        input: row.try_get("input")?,
        input_sha256: row.try_get("input_sha256")?,
        network: row.try_get("network")?,
        proof,
        terms,
        price,
        included_block: row.try_get::<Option<i64>, _>("included_block")?.map(unsigned).transpose()?,
        deposit_block: row.try_get::<Option<i64>, _>("deposit_block")?.map(unsigned).transpose()?,
        pay_to: read_optional(row, "deposit_pay_to")?.or(signed_to),
        transaction,
        authorization,
        output: row.try_get("output")?,
        output_sha256: row.try_get("output_sha256")?,
        engine: row.try_get("engine")?,
        error: error.as_deref().map(read_error).transpose()?,
        attempts: count("attempts")?,
        broke: count("broke")?,
        key_sha256: row.try_get("key_sha256")?,
        created_ms: row.try_get("created_ms")?,
        presented_ms: row.try_get("presented_ms")?,
        held_ms: row.try_get("held_ms")?,
        finished_ms: row.try_get("finished_ms")?,
    })
}

pub(super) fn store_error(error: &CallError) -> Result<String> {
    serde_json::to_string(error).map_err(|cause| BooksError::refused(format_args!("an error that is no JSON: {cause}")))
}

pub(super) fn read_error(text: &str) -> Result<CallError> {
    serde_json::from_str(text).map_err(|cause| BooksError::Corrupt(format!("a run's error: {cause}")))
}
