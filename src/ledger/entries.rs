//! The journal: append-only lines whose sum is zero per event and asset, and the balances that they add up to.
//!
//! Accounts: `payer:<address>` and `held:<address>` have a balance row and are never negative; they are taken in that order.
//! `chain:<network>`, `revenue:<agent>` and `refunds` have none: a row that everybody writes would serialise the whole shop.
//!
//! Every transaction that moves money takes its rows in one order (presenter, balances, authorization, deposit, run, watch), so that no
//! two wait for each other.

use std::fmt;

use super::{
    signed::Signed,
    store::{Books, BooksError, Result, Tx},
};
use crate::{
    evm::Address,
    money::{Amount, Asset},
};

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Deposit,
    Hold,
    Capture,
    Release,
    /// A deposit and its capture in one: an authorization was settled for a run that had succeeded.
    Settle,
    /// An operator said that a deposit is somebody else's than the account that it came from.
    Move,
}

impl EventKind {
    const ALL: [Self; 6] = [Self::Deposit, Self::Hold, Self::Capture, Self::Release, Self::Settle, Self::Move];

    pub fn word(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Settle => "settle",
            Self::Move => "move",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let kind = Self::ALL.into_iter().find(|kind| kind.word() == text);
        kind.ok_or_else(|| BooksError::Corrupt(format!("no such kind of event: {text}")))
    }
}

/// A place that money can be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Account<'a> {
    Payer(Address),
    Held(Address),
    Chain(&'a str),
    Revenue(&'a str),
}

impl fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payer(wallet) => write!(f, "payer:{wallet}"),
            Self::Held(wallet) => write!(f, "held:{wallet}"),
            Self::Chain(network) => write!(f, "chain:{network}"),
            Self::Revenue(agent) => write!(f, "revenue:{agent}"),
        }
    }
}

/// A balance row that nobody else can read for writing until our transaction ends.
#[derive(Debug)]
pub(super) struct Taken {
    account: String,
    asset: String,
    pub(super) amount: Amount,
}

impl Taken {
    pub(super) fn is_held_for(&self, wallet: Address) -> bool {
        self.account == Account::Held(wallet).to_string()
    }
}

/// Takes an account's balance row, making it if need be. The first statement of every transaction that moves money.
pub(super) async fn take(tx: &mut Tx, account: &Account<'_>, asset: &Asset) -> Result<Taken> {
    let (account, asset) = (account.to_string(), asset.to_string());
    let amount: String = sqlx::query_scalar(
        "insert into balances (account, asset, amount, version)
         values ($1, $2, '0', 1)
         on conflict (account, asset) do update set version = balances.version + 1
         returning amount",
    )
    .bind(&account)
    .bind(&asset)
    .fetch_one(&mut **tx)
    .await?;
    let amount = amount.parse().map_err(|_| BooksError::Corrupt(format!("balance of {account} in {asset}: {amount}")))?;
    Ok(Taken { account, asset, amount })
}

/// One side of a movement.
#[derive(Debug)]
pub(super) enum Side<'a> {
    /// With a balance.
    Row(&'a mut Taken),
    /// Without.
    Sum(Account<'a>),
}

impl Side<'_> {
    fn account(&self) -> String {
        match self {
            Self::Row(taken) => taken.account.clone(),
            Self::Sum(account) => account.to_string(),
        }
    }
}

/// What the lines of one movement share.
#[derive(Debug)]
pub(super) struct Event<'a> {
    /// UUIDv7.
    pub(super) id: String,
    pub(super) kind: EventKind,
    pub(super) at_ms: i64,
    /// The run it is for, the deposit that it is, or both.
    pub(super) what: What<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    Run(&'a str),
    Deposit(&'a str),
    Settlement { run: &'a str, deposit: &'a str },
}

/// Moves an amount from one account to another: two lines, and the balances of those that have one.
///
/// # Errors
/// [`BooksError::Overflow`] where a balance would be negative or past 256 bits; the transaction is then to be dropped.
pub(super) async fn move_money(
    tx: &mut Tx,
    event: &Event<'_>,
    asset: &Asset,
    amount: Amount,
    from: Side<'_>,
    to: Side<'_>,
) -> Result<()> {
    let lines = [(from.account(), Signed::out_of_account(amount)), (to.account(), Signed::into_account(amount))];
    assert_ne!(lines[0].0, lines[1].0, "money moves between two accounts");
    assert_eq!(lines[0].1.plus(lines[1].1), Some(Signed::ZERO), "the sum of an event is zero");
    let (run, deposit) = match event.what {
        What::Run(run) => (Some(run), None),
        What::Deposit(deposit) => (None, Some(deposit)),
        What::Settlement { run, deposit } => (Some(run), Some(deposit)),
    };
    let is_of_deposit = matches!(event.kind, EventKind::Deposit | EventKind::Settle | EventKind::Move);
    assert_eq!(deposit.is_some(), is_of_deposit, "only a deposit brings money in, or is somebody else's");
    assert_eq!(run.is_none(), matches!(event.kind, EventKind::Deposit | EventKind::Move), "all else is for a run");
    sqlx::query(
        "insert into entries (event_id, kind, at_ms, deposit_id, run_id, asset, account, amount)
         values ($1, $2, $3, $4, $5, $6, $7, $8), ($1, $2, $3, $4, $5, $6, $9, $10)",
    )
    .bind(&event.id)
    .bind(event.kind.word())
    .bind(event.at_ms)
    .bind(deposit)
    .bind(run)
    .bind(asset.to_string())
    .bind(&lines[0].0)
    .bind(lines[0].1.to_string())
    .bind(&lines[1].0)
    .bind(lines[1].1.to_string())
    .execute(&mut **tx)
    .await?;
    if let Side::Row(taken) = from {
        let left = taken.amount.minus(amount).ok_or(BooksError::Overflow("a balance below zero"))?;
        assert!(left <= taken.amount, "what is taken away makes it no larger");
        keep(tx, taken, asset, left).await?;
    }
    if let Side::Row(taken) = to {
        let more = taken.amount.plus(amount).ok_or(BooksError::Overflow("a balance past 256 bits"))?;
        assert!(more >= taken.amount, "what is added makes it no smaller");
        keep(tx, taken, asset, more).await?;
    }
    Ok(())
}

async fn keep(tx: &mut Tx, taken: &mut Taken, asset: &Asset, amount: Amount) -> Result<()> {
    assert_eq!(taken.asset, asset.to_string(), "a balance is of one asset");
    let done = sqlx::query("update balances set amount = $3 where account = $1 and asset = $2")
        .bind(&taken.account)
        .bind(&taken.asset)
        .bind(amount.to_string())
        .execute(&mut **tx)
        .await?;
    assert_eq!(done.rows_affected(), 1, "the row was taken");
    taken.amount = amount;
    Ok(())
}

impl Books {
    pub(super) fn event<'a>(&self, kind: EventKind, what: What<'a>, now_ms: i64) -> Result<Event<'a>> {
        Ok(Event { id: self.id(now_ms)?, kind, at_ms: now_ms, what })
    }
}
