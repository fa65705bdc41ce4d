//! Waiting runs as whoever looks at a network again and again sees them, and whether a wallet is known here.
//!
//! Promises: a look reads no input, however many wait (the index `runs_awaited` has all that it needs); who is asked about costs one read.

use sqlx::{Row, any::AnyRow};

use super::{
    entries::Account,
    runs::FOLLOWED_MS,
    store::{Books, Result},
};
use crate::evm::Address;

/// Waiting runs of a network whose payment nobody has seen, of all wallets, that are begun before anything is seen. Each is an input that is kept
/// for up to a day for nothing, and a look-up every minute; beyond them a payment is looked for first and written down then (`x402::unseen`).
pub const UNSEEN_IN_ALL_MAX: u32 = 256;

/// A run that waits for its payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The run's.
    pub id: String,
    /// `tx/<hash>`, `credit/<uuid>`, or an authorization's identity.
    pub proof: String,
    /// A deposit of its presenter's is there for it.
    pub has_arrived: bool,
}

/// What the books know of a wallet and of a payment that it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// A run of the wallet's was shown with this payment, or with one that took its place.
    pub is_shown: bool,
    /// The payment is booked to the wallet.
    pub is_theirs: bool,
    /// The payment is booked, to whomever.
    pub is_booked: bool,
    /// The wallet paid here before, has credit, is signed in, or is watched for.
    pub has_history: bool,
}

/// A `select` of [`Awaited`]s: its `where` and what follows.
macro_rules! select_awaited {
    ($rest:literal) => {
        concat!(
            "select r.run_id, r.proof, cast(case when d.deposit_id is null then 0 else 1 end as bigint) as has_arrived
             from runs r
             left join deposits d on d.network = r.network and d.proof = r.proof and d.payer = r.payer
             left join authorizations a on a.run_id = r.run_id
             where r.network = $1 and r.state = 'waiting' and coalesce(a.state, 'settled') = 'settled' and ",
            $rest,
            " order by r.run_id"
        )
    };
}

impl Books {
    /// All waiting runs of a network that were shown to us within [`FOLLOWED_MS`], but those whose authorization is yet to be settled
    /// ([`Books::unsettled`]).
    pub async fn waiting(&self, network: &str, now_ms: i64) -> Result<Vec<Awaited>> {
        self.awaited(select_awaited!("r.presented_ms > $2"), network, now_ms).await
    }

    /// Waiting runs that nobody asked about within [`FOLLOWED_MS`], until the sweep voids them after a day: their payment may still come.
    pub async fn waiting_unasked(&self, network: &str, now_ms: i64) -> Result<Vec<Awaited>> {
        self.awaited(select_awaited!("r.presented_ms <= $2"), network, now_ms).await
    }

    async fn awaited(&self, select: &'static str, network: &str, now_ms: i64) -> Result<Vec<Awaited>> {
        let rows = sqlx::query(select).bind(network).bind(now_ms.saturating_sub(FOLLOWED_MS)).fetch_all(&self.pool).await?;
        rows.iter().map(awaited_of).collect()
    }

    /// Ids of the runs that wait for this very payment, whenever they were shown.
    pub async fn waiting_for(&self, network: &str, proof: &str) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("select run_id from runs where network = $1 and proof = $2 and state = 'waiting' order by run_id")
            .bind(network)
            .bind(proof)
            .fetch_all(&self.pool)
            .await?)
    }

    /// How many waiting runs of a network have a payment that no block has, as far as we know, whenever they were shown.
    pub async fn unseen_in_all(&self, network: &str) -> Result<u32> {
        let count: i64 = sqlx::query_scalar(
            "select count(*) from runs r
             where r.network = $1 and r.state = 'waiting' and r.proof like 'tx/%' and r.included_block is null
               and not exists (select 1 from deposits d where d.network = r.network and d.proof = r.proof)",
        )
        .bind(network)
        .fetch_one(&self.pool)
        .await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Before anything is written down for a payment that somebody shows.
    pub async fn known(&self, network: &str, proof: &str, wallet: Address, now_ms: i64) -> Result<Known> {
        let (shown, theirs, booked, history): (i64, i64, i64, i64) = sqlx::query_as(
            "select
                 (select count(*) from runs where network = $1 and proof = $2 and payer = $3)
                     + (select count(*) from unseen_payments
                        where network = $1 and proof = $2 and payer = $3 and replaced_by is not null),
                 (select count(*) from deposits where network = $1 and proof = $2 and payer = $3),
                 (select count(*) from deposits where network = $1 and proof = $2),
                 cast(case when exists (select 1 from deposits where payer = $3)
                     or exists (select 1 from sessions where wallet = $3 and until_ms > $4)
                     or exists (select 1 from watches where wallet = $3)
                     or exists (select 1 from balances where account = $5 and amount <> '0')
                 then 1 else 0 end as bigint)",
        )
        .bind(network)
        .bind(proof)
        .bind(wallet.to_string())
        .bind(now_ms)
        .bind(Account::Payer(wallet).to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(Known { is_shown: shown > 0, is_theirs: theirs > 0, is_booked: booked > 0, has_history: history > 0 })
    }
}

fn awaited_of(row: &AnyRow) -> Result<Awaited> {
    let has_arrived: i64 = row.try_get("has_arrived")?;
    Ok(Awaited { id: row.try_get("run_id")?, proof: row.try_get("proof")?, has_arrived: has_arrived == 1 })
}
