//! Each run with its events: its price held while it is under way, captured when it is done, back with its payer when it failed. One that
//! an authorization pays has none before that is settled, and one event if that was after the work.

use futures::TryStreamExt;
use sqlx::{Row, any::AnyRow};

use super::{Audit, Findings};
use crate::{
    ledger::{
        signed::Signed,
        store::{Result, Tx},
    },
    run::RunState,
};

/// A run, and what its entries come to.
struct Told {
    run: String,
    state: String,
    payer: String,
    network: String,
    agent: String,
    /// Of the authorization that pays it.
    authorization: Option<String>,
    asset: Option<String>,
    price: Option<Signed>,
    /// By asset: a run that failed may have been held again in another one.
    sums: Vec<(String, Sums)>,
    /// Some entry is on an account that has nothing to do with this run.
    strange: bool,
}

/// Of one asset. `None`: past 256 bits, or no amount.
#[derive(Clone, Copy, PartialEq)]
struct Sums {
    credit: Option<Signed>,
    held: Option<Signed>,
    revenue: Option<Signed>,
    /// What came for it straight from the chain, as it leaves there.
    chain: Option<Signed>,
    /// Times that revenue came of it.
    captures: u64,
}

const NOTHING: Sums = Sums {
    credit: Some(Signed::ZERO),
    held: Some(Signed::ZERO),
    revenue: Some(Signed::ZERO),
    chain: Some(Signed::ZERO),
    captures: 0,
};

pub(super) async fn audit_runs(tx: &mut Tx, audit: &mut Audit, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select r.run_id, r.state, r.payer, r.network, r.agent, r.asset, r.price, a.state as authorization_state,
                e.kind, e.account, e.asset as entry_asset, e.amount
         from runs r left join entries e on e.run_id = r.run_id left join authorizations a on a.run_id = r.run_id
         order by r.run_id, e.event_id, e.account",
    )
    .fetch(&mut **tx);
    let mut current: Option<Told> = None;
    while let Some(row) = rows.try_next().await? {
        let run: String = row.try_get("run_id")?;
        if current.as_ref().is_none_or(|told| told.run != run) {
            if let Some(told) = current.take() {
                told.report(found);
            }
            audit.runs += 1;
            current = Some(Told::new(run, &row)?);
        }
        if let Some(told) = &mut current {
            told.add(&row)?;
        }
    }
    if let Some(told) = current {
        told.report(found);
    }
    Ok(())
}

impl Told {
    fn new(run: String, row: &AnyRow) -> Result<Self> {
        let price: Option<String> = row.try_get("price")?;
        Ok(Self {
            run,
            state: row.try_get("state")?,
            payer: row.try_get("payer")?,
            network: row.try_get("network")?,
            agent: row.try_get("agent")?,
            authorization: row.try_get("authorization_state")?,
            asset: row.try_get("asset")?,
            price: price.and_then(|price| price.parse().ok()).map(Signed::into_account),
            sums: Vec::new(),
            strange: false,
        })
    }

    fn add(&mut self, row: &AnyRow) -> Result<()> {
        let Some(account) = row.try_get::<Option<String>, _>("account")? else { return Ok(()) };
        let (asset, amount): (String, String) = (row.try_get("entry_asset")?, row.try_get("amount")?);
        let amount: Option<Signed> = amount.parse().ok();
        let place = self.sums.iter().position(|(of, _)| *of == asset).unwrap_or_else(|| {
            self.sums.push((asset, NOTHING));
            self.sums.len() - 1
        });
        let sums = &mut self.sums[place].1;
        let sum = match account.split_once(':') {
            Some(("payer", wallet)) if wallet == self.payer => &mut sums.credit,
            Some(("held", wallet)) if wallet == self.payer => &mut sums.held,
            Some(("revenue", agent)) if agent == self.agent => {
                sums.captures += 1;
                &mut sums.revenue
            }
            Some(("chain", network)) if network == self.network && row.try_get::<String, _>("kind")? == "settle" => {
                &mut sums.chain
            }
            _ => {
                self.strange = true;
                return Ok(());
            }
        };
        *sum = sum.zip(amount).and_then(|(sum, amount)| sum.plus(amount));
        Ok(())
    }

    fn report(self, found: &mut Findings) {
        let Self { run, state, .. } = &self;
        if self.strange {
            found.add(format_args!("run {run}: it moved money of somebody else"));
        }
        let state: Option<RunState> = state.parse().ok();
        let promise = match (self.authorization.as_deref(), state) {
            // Signed for, not held: no money of ours.
            (Some("open"), Some(RunState::Held | RunState::Running)) | (Some("open" | "unused"), Some(RunState::Failed)) => {
                let priced = self.price.is_some() && self.sums.is_empty();
                (!priced).then_some("nothing moved for its authorization, which is not settled")
            }
            (Some("open" | "unused"), Some(RunState::Waiting | RunState::Void)) => self.broken_promise(state),
            (Some("settled"), Some(RunState::Done)) if self.settled_as_done() => None,
            // Failed first, and settled then.
            (Some("settled"), Some(RunState::Failed)) if self.price.is_some() && self.sums.is_empty() => None,
            (Some("settled") | None, _) => self.broken_promise(state),
            (Some(_), _) => Some("its authorization is settled"),
        };
        if let Some(promise) = promise {
            found.add(format_args!("run {run} is {}, so {promise}; its entries say otherwise", self.state));
        }
    }

    /// One event brought its price from the chain to its agent.
    fn settled_as_done(&self) -> bool {
        let right = Sums { chain: self.price.map(Signed::opposite), revenue: self.price, captures: 1, ..NOTHING };
        self.price.is_some() && matches!(&self.sums[..], [(asset, sums)] if Some(asset) == self.asset.as_ref() && *sums == right)
    }

    /// What a run that is paid from its payer's balance should have moved, if it did not.
    fn broken_promise(&self, state: Option<RunState>) -> Option<&'static str> {
        let minus_price = self.price.map(Signed::opposite);
        let (moves, right, promise) = match state {
            Some(RunState::Held | RunState::Running) => {
                (true, Sums { credit: minus_price, held: self.price, ..NOTHING }, "its price is held")
            }
            Some(RunState::Done) => {
                (true, Sums { credit: minus_price, revenue: self.price, captures: 1, ..NOTHING }, "its price was captured once")
            }
            Some(RunState::Failed) => (true, NOTHING, "its price went back to its payer"),
            Some(RunState::Waiting | RunState::Void) | None => (false, NOTHING, "no price was ever held for it"),
        };
        let own = |asset: &String| self.asset.as_ref() == Some(asset);
        let kept = match self.price {
            Some(_) => moves && self.sums.iter().any(|(asset, _)| own(asset)),
            None => !moves && self.sums.is_empty(),
        };
        let summed = self.sums.iter().all(|(asset, sums)| *sums == if own(asset) { right } else { NOTHING });
        (!kept || !summed).then_some(promise)
    }
}
