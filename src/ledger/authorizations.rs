//! Payments that are a signature: somebody else sends them, in nearly all cases we, after the agent's work.
//!
//! Promises: an authorization is no money before its transfer is final (`settle`); our own transaction is written before it is
//! broadcast; none is given up before its time is over and the chain was looked at. The chain alone says whether money moved.

use std::str::FromStr;

use sqlx::{Row, any::AnyRow};

use super::{
    columns::{hex, read, read_optional, signed, unsigned},
    runs::{Run, run_of, select_runs, store_error},
    standing::Has,
    store::{Books, BooksError, Result, Tx, again},
};
use crate::{
    error::{CallError, Code},
    evm::{Address, TxHash},
    money::{Amount, Asset},
    run::RunState,
};

/// For so long an authorization is tried to be settled, and may its run take up a place among those that wait, however long it is good for. Nobody's
/// offer is open for longer; and so many blocks can be searched for what became of it.
pub const LOOK_AFTER_MS: i64 = 60 * 60 * 1000;
/// One that is good for longer is looked at again; at least this often, so that few enough blocks lie between two looks to be searched.
pub const LOOK_AGAIN_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// What the payer signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The token's own `transferWithAuthorization`.
    Eip3009,
    /// Permit2 and x402's exact proxy.
    Permit2,
}

impl Method {
    /// x402's `extra.assetTransferMethod`; also what a proof begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Eip3009 => "eip3009",
            Self::Permit2 => "permit2",
        }
    }
}

impl FromStr for Method {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        [Self::Eip3009, Self::Permit2].into_iter().find(|method| method.word() == text).ok_or(())
    }
}

/// What became of the signature, as far as final blocks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationState {
    /// Nobody has sent it yet, as far as we know, and it may still be.
    Open,
    /// Its deposit is in the books, whoever sent it.
    Settled,
    /// It never pays anything: its time was over and nobody had sent it, or its nonce was used for something else.
    Unused,
}

impl AuthorizationState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
            Self::Unused => "unused",
        }
    }
}

impl FromStr for AuthorizationState {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        [Self::Open, Self::Settled, Self::Unused].into_iter().find(|state| state.word() == text).ok_or(())
    }
}

/// An authorization that was checked, and that nobody has used on chain yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuthorization {
    pub method: Method,
    /// The token.
    pub asset: Asset,
    pub pay_to: Address,
    /// Atomic units, exactly what was signed.
    pub amount: Amount,
    /// Unix milliseconds: later than this no block takes it.
    pub valid_before_ms: i64,
    /// The payload's JSON, signature included.
    pub signed: String,
    /// It is not used up to this block; whatever becomes of it is above.
    pub since_block: u64,
    /// The agent begins when the money is here.
    pub settle_first: bool,
    /// `None`: what was signed has moved already, so nothing has to be there for it.
    pub has: Option<Has>,
}

/// What settling a run needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAuthorization {
    pub method: Method,
    pub asset: Asset,
    pub pay_to: Address,
    pub amount: Amount,
    /// Unix milliseconds.
    pub valid_before_ms: i64,
    pub signed: String,
    pub since_block: u64,
    pub settle_first: bool,
    /// The agent has answered. The answer itself is withheld until the payment is settled.
    pub answered: bool,
    /// Our last transaction that settles it. It may never have reached a node.
    pub sent: Option<Sent>,
    pub state: AuthorizationState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub transaction: TxHash,
    /// Its exact bytes: sent again, they are the same transaction.
    pub raw: Vec<u8>,
    /// When it was written, Unix milliseconds.
    pub at_ms: i64,
}

impl Books {
    /// The run that this payer's proof pays for.
    pub async fn find_run(&self, network: &str, proof: &str, payer: Address) -> Result<Option<Run>> {
        let row = sqlx::query(select_runs!("where r.network = $1 and r.proof = $2 and r.payer = $3"))
            .bind(network)
            .bind(proof)
            .bind(payer.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(run_of).transpose()
    }

    /// Before our transaction is broadcast: after a crash it is looked for, and the same bytes are sent again. A later one takes the
    /// earlier one's place. `false`: the authorization is not open any more, so there is nothing to send.
    pub async fn sending(&self, run: &str, transaction: TxHash, raw: &[u8], now_ms: i64) -> Result<bool> {
        again(|| async {
            let written = sqlx::query(
                "update authorizations set transaction_hash = $2, raw = $3, sent_ms = $4, version = version + 1
                 where run_id = $1 and state = 'open'",
            )
            .bind(run)
            .bind(transaction.to_string())
            .bind(hex(raw))
            .bind(now_ms)
            .execute(&self.pool)
            .await?;
            Ok(written.rows_affected() == 1)
        })
        .await
    }

    /// What the till looks after on a network: runs that wait for their authorization to be settled first, and authorizations whose time
    /// is over, or that are to be looked at before ([`Books::look_later`]), and whose run has ended: somebody may have sent them after all. Oldest
    /// first. Held and running ones are the worker's.
    pub async fn unsettled(&self, network: &str, now_ms: i64) -> Result<Vec<Run>> {
        let rows = sqlx::query(select_runs!(
            "where a.network = $1 and a.state = 'open' and r.state not in ('held', 'running')
               and (r.state = 'waiting' or coalesce(a.look_ms, a.valid_before_ms) <= $2)
             order by r.run_id"
        ))
        .bind(network)
        .bind(now_ms)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(run_of).collect()
    }

    /// Nobody has sent it, as final blocks up to `seen_block` show (`None`: no node could tell), and it is good for longer: it is looked at again in an
    /// hour, after its first day in a day.
    pub async fn look_later(&self, run: &str, seen_block: Option<u64>, now_ms: i64) -> Result<()> {
        let seen_block = seen_block.map(signed).transpose()?;
        again(|| async {
            sqlx::query(
                "update authorizations
                 set look_ms = case
                         when (select created_ms from runs where runs.run_id = authorizations.run_id) < $2 - $4 then $2 + $4
                         else $2 + $3
                     end,
                     since_block = case when since_block < $5 then $5 else since_block end,
                     version = version + 1
                 where run_id = $1 and state = 'open'",
            )
            .bind(run)
            .bind(now_ms)
            .bind(LOOK_AFTER_MS)
            .bind(LOOK_AGAIN_MS_MAX)
            .bind(seen_block.unwrap_or(0))
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    /// A final block of after its time shows that nobody sent it: `open` → `unused`. A run that waited for it becomes void. `false`:
    /// nothing changed, because its time is not over, its run is held or running (`settlement_failed` ends those), or it is not open.
    pub async fn authorization_unused(&self, run: &str, now_ms: i64) -> Result<bool> {
        self.give_up(run, &Code::SettlementFailed.into(), Some(now_ms), now_ms).await
    }

    /// The same before its time is over, where a final block shows that its nonce was used for something else, or taken back.
    pub async fn authorization_over(&self, run: &str, why: &CallError, now_ms: i64) -> Result<bool> {
        self.give_up(run, why, None, now_ms).await
    }

    /// `over_by_ms`: only if its time is over by then.
    async fn give_up(&self, run: &str, why: &CallError, over_by_ms: Option<i64>, now_ms: i64) -> Result<bool> {
        let why = store_error(why)?;
        again(|| async {
            let mut tx = self.begin().await?;
            let Some(taken) = take_authorization(&mut tx, run).await? else { return Ok(false) };
            let busy = matches!(run_state(&mut tx, run).await?, RunState::Held | RunState::Running);
            let may_be_sent = over_by_ms.is_some_and(|by_ms| taken.valid_before_ms > by_ms);
            if taken.state != AuthorizationState::Open || may_be_sent || busy {
                return Ok(false);
            }
            set_state(&mut tx, run, AuthorizationState::Unused).await?;
            sqlx::query(
                "update runs set state = 'void', error = $2, error_final = 0, finished_ms = $3 where run_id = $1 and state = 'waiting'",
            )
            .bind(run)
            .bind(&why)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

/// A row that nobody else changes until our transaction ends.
#[derive(Debug)]
pub(super) struct TakenAuthorization {
    pub(super) state: AuthorizationState,
    pub(super) valid_before_ms: i64,
    /// The withheld answer, and what made it.
    pub(super) answer: Option<(String, String)>,
}

/// The first statement, after balances, of every transaction that changes an authorization or ends its run. `None`: no authorization
/// pays this run.
pub(super) async fn take_authorization(tx: &mut Tx, run: &str) -> Result<Option<TakenAuthorization>> {
    let row = sqlx::query(
        "update authorizations set version = version + 1 where run_id = $1
         returning state, valid_before_ms, answer, engine",
    )
    .bind(run)
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref()
        .map(|row| {
            let answer: Option<String> = row.try_get("answer")?;
            let engine: Option<String> = row.try_get("engine")?;
            Ok(TakenAuthorization {
                state: read(row, "state")?,
                valid_before_ms: row.try_get("valid_before_ms")?,
                answer: answer.zip(engine),
            })
        })
        .transpose()
}

pub(super) async fn set_state(tx: &mut Tx, run: &str, state: AuthorizationState) -> Result<()> {
    let done = sqlx::query("update authorizations set state = $2 where run_id = $1")
        .bind(run)
        .bind(state.word())
        .execute(&mut **tx)
        .await?;
    assert_eq!(done.rows_affected(), 1, "the row was taken");
    Ok(())
}

/// As our transaction sees it. While the authorization's row is taken, only a lease changes it, from held to running.
pub(super) async fn run_state(tx: &mut Tx, run: &str) -> Result<RunState> {
    let word: String = sqlx::query_scalar("select state from runs where run_id = $1").bind(run).fetch_one(&mut **tx).await?;
    word.parse().map_err(|()| BooksError::Corrupt(format!("state of run {run}: {word}")))
}

/// Of a row of `select_runs`.
pub(super) fn authorization_of(row: &AnyRow) -> Result<Option<RunAuthorization>> {
    let Some(method) = read_optional(row, "method")? else { return Ok(None) };
    let sent = match read_optional(row, "sent_transaction")? {
        Some(transaction) => Some(Sent { transaction, raw: bytes(row.try_get("raw")?)?, at_ms: row.try_get("sent_ms")? }),
        None => None,
    };
    Ok(Some(RunAuthorization {
        method,
        asset: read(row, "token")?,
        pay_to: read(row, "pay_to")?,
        amount: read(row, "amount")?,
        valid_before_ms: row.try_get("valid_before_ms")?,
        signed: row.try_get("signed")?,
        since_block: unsigned(row.try_get("since_block")?)?,
        settle_first: row.try_get::<i64, _>("settle_first")? == 1,
        answered: row.try_get::<i64, _>("answered")? == 1,
        sent,
        state: read(row, "authorization_state")?,
    }))
}

/// A transaction's bytes, as [`Books::sending`] wrote them.
fn bytes(text: &str) -> Result<Vec<u8>> {
    let digits = text.as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let pairs = digits.chunks_exact(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8));
    let read: Option<Vec<u8>> = if digits.len().is_multiple_of(2) { pairs.collect() } else { None };
    read.ok_or_else(|| BooksError::Corrupt("a stored transaction is not hexadecimal".to_owned()))
}
