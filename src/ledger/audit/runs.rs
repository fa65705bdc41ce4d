//! Each run with its events: its price held while it is under way, captured when it is done, back with its payer when it failed.

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
    agent: String,
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
    captures: u64,
}

const NOTHING: Sums = Sums { credit: Some(Signed::ZERO), held: Some(Signed::ZERO), revenue: Some(Signed::ZERO), captures: 0 };

pub(super) async fn audit_runs(tx: &mut Tx, audit: &mut Audit, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select r.run_id, r.state, r.payer, r.agent, r.asset, r.price, e.account, e.asset as entry_asset, e.amount
         from runs r left join entries e on e.run_id = r.run_id
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
            agent: row.try_get("agent")?,
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
        let minus_price = self.price.map(Signed::opposite);
        let (moves, right, promise) = match state.parse() {
            Ok(RunState::Held | RunState::Running) => {
                (true, Sums { credit: minus_price, held: self.price, ..NOTHING }, "its price is held")
            }
            Ok(RunState::Done) => {
                (true, Sums { credit: minus_price, revenue: self.price, captures: 1, ..NOTHING }, "its price was captured once")
            }
            Ok(RunState::Failed) => (true, NOTHING, "its price went back to its payer"),
            Ok(RunState::Waiting | RunState::Void) | Err(()) => (false, NOTHING, "no price was ever held for it"),
        };
        let own = |asset: &String| self.asset.as_ref() == Some(asset);
        let kept = match self.price {
            Some(_) => moves && self.sums.iter().any(|(asset, _)| own(asset)),
            None => !moves && self.sums.is_empty(),
        };
        let summed = self.sums.iter().all(|(asset, sums)| *sums == if own(asset) { right } else { NOTHING });
        if !kept || !summed {
            found.add(format_args!("run {run} is {state}, so {promise}; its entries say otherwise"));
        }
    }
}
