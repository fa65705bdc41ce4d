//! Each event by itself, and each deposit with its event.

use futures::TryStreamExt;
use sqlx::{Row, any::AnyRow};

use super::{Audit, Findings};
use crate::ledger::{
    entries::EventKind,
    signed::Signed,
    store::{Result, Tx},
};

/// The lines of one event, kept until the next one begins.
#[derive(Default)]
struct Lines {
    event: String,
    /// Kind, time and purpose, of the first line.
    head: Head,
    /// Per asset; an event has one or two.
    sums: Vec<(String, Option<Signed>)>,
    lines: u64,
    mixed: bool,
    /// Sides that an event of its kind has: where the money leaves, and where it goes.
    left: bool,
    came: bool,
    strange: bool,
}

#[derive(Clone, Default, PartialEq)]
struct Head {
    kind: String,
    at_ms: i64,
    deposit: Option<String>,
    run: Option<String>,
}

/// Every event's sum is zero per asset, and its accounts are those of its kind.
pub(super) async fn audit_events(tx: &mut Tx, audit: &mut Audit, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select event_id, account, asset, amount, kind, at_ms, deposit_id, run_id from entries order by event_id, account",
    )
    .fetch(&mut **tx);
    let mut lines = Lines::default();
    while let Some(row) = rows.try_next().await? {
        audit.entries += 1;
        let event: String = row.try_get("event_id")?;
        if event != lines.event {
            std::mem::take(&mut lines).report(found);
            lines.event = event;
        }
        lines.add(&row)?;
    }
    lines.report(found);
    Ok(())
}

impl Lines {
    fn add(&mut self, row: &AnyRow) -> Result<()> {
        let head = Head {
            kind: row.try_get("kind")?,
            at_ms: row.try_get("at_ms")?,
            deposit: row.try_get("deposit_id")?,
            run: row.try_get("run_id")?,
        };
        if self.lines == 0 {
            self.head = head;
        } else if self.head != head {
            self.mixed = true;
        }
        self.lines += 1;
        let (account, asset, amount): (String, String, String) =
            (row.try_get("account")?, row.try_get("asset")?, row.try_get("amount")?);
        let amount: Option<Signed> = amount.parse().ok();
        match (sides(&self.head.kind), account.split_once(':'), amount) {
            // Zero as well: a transfer of nothing is a deposit of nothing.
            (Some((from, _)), Some((account, _)), Some(amount)) if account == from && (amount.is_out() || amount.is_zero()) => {
                self.left = true;
            }
            (Some((_, to)), Some((account, _)), Some(amount)) if account == to && !amount.is_out() => self.came = true,
            _ => self.strange = true,
        }
        match self.sums.iter_mut().find(|(of, _)| *of == asset) {
            Some((_, sum)) => *sum = sum.zip(amount).and_then(|(sum, amount)| sum.plus(amount)),
            None => self.sums.push((asset, amount)),
        }
        Ok(())
    }

    fn report(self, found: &mut Findings) {
        if self.lines == 0 {
            return;
        }
        let event = &self.event;
        for (asset, sum) in &self.sums {
            match sum {
                Some(sum) if sum.is_zero() => {}
                Some(sum) => found.add(format_args!("event {event}: its sum in {asset} is {sum}, not zero")),
                None => found.add(format_args!("event {event}: its amounts in {asset} have no sum")),
            }
        }
        if self.mixed {
            found.add(format_args!("event {event}: its lines differ in kind, time or purpose"));
        }
        if self.strange || !self.left || !self.came || self.lines != 2 {
            found.add(format_args!("event {event}: its lines are not those of a {}", self.head.kind));
        }
    }
}

/// Where the money of an event leaves, and where it goes.
fn sides(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match EventKind::parse(kind).ok()? {
        EventKind::Deposit => ("chain", "payer"),
        EventKind::Hold => ("payer", "held"),
        EventKind::Capture => ("held", "revenue"),
        EventKind::Release => ("held", "payer"),
        EventKind::Settle => ("chain", "revenue"),
        EventKind::Move => ("payer", "payer"),
    })
}

/// What an event was for is there.
pub(super) async fn audit_purposes(tx: &mut Tx, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select distinct e.event_id, e.deposit_id, e.run_id from entries e
         where (e.deposit_id is not null and not exists (select 1 from deposits d where d.deposit_id = e.deposit_id))
            or (e.run_id is not null and not exists (select 1 from runs r where r.run_id = e.run_id))
         order by e.event_id",
    )
    .fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        let (event, deposit, run): (String, Option<String>, Option<String>) =
            (row.try_get("event_id")?, row.try_get("deposit_id")?, row.try_get("run_id")?);
        if let Some(deposit) = deposit {
            found.add(format_args!("event {event}: it brought a deposit that is not there, {deposit}"));
        }
        if let Some(run) = run {
            found.add(format_args!("event {event}: it was for a run that is not there, {run}"));
        }
    }
    Ok(())
}

/// What is by hand says who did it, and what was moved by hand is what they said.
pub(super) async fn audit_hands(tx: &mut Tx, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select d.deposit_id from deposits d
         where d.how = 'hand' and not exists (select 1 from hand_credits h where h.deposit_id = d.deposit_id and h.payer = d.payer)
         order by d.deposit_id",
    )
    .fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        let deposit: String = row.try_get("deposit_id")?;
        found.add(format_args!("deposit {deposit}: it was booked by hand, and nobody did it"));
    }
    drop(rows);
    let mut rows = sqlx::query(
        "select e.event_id from entries e
         where e.kind = 'move' and e.amount not like '-%' and not exists (
             select 1 from hand_credits h
             where h.deposit_id = e.deposit_id and e.account = 'payer:' || h.payer and h.amount = e.amount
         )
         order by e.event_id",
    )
    .fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        let event: String = row.try_get("event_id")?;
        found.add(format_args!("event {event}: it moved a deposit, and nobody said so"));
    }
    Ok(())
}

/// Every deposit brought its amount once: to its payer, or to the run that its authorization paid.
pub(super) async fn audit_deposits(tx: &mut Tx, audit: &mut Audit, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select d.deposit_id, d.network, d.payer, d.asset, d.amount,
                e.kind, e.account, e.asset as entry_asset, e.amount as entry_amount, r.agent
         from deposits d left join entries e on e.deposit_id = d.deposit_id and e.kind <> 'move'
         left join runs r on r.run_id = e.run_id and r.network = d.network and r.proof = d.proof and r.payer = d.payer
         order by d.deposit_id, e.account",
    )
    .fetch(&mut **tx);
    let mut deposit = String::new();
    let (mut from_chain, mut arrived, mut other) = (0, 0, 0);
    loop {
        let row = rows.try_next().await?;
        let id: Option<String> = row.as_ref().map(|row| row.try_get("deposit_id")).transpose()?;
        if id.as_ref() != Some(&deposit) {
            if !deposit.is_empty() && (from_chain, arrived, other) != (1, 1, 0) {
                found.add(format_args!("deposit {deposit}: it was not booked to its payer exactly once"));
            }
            (from_chain, arrived, other) = (0, 0, 0);
        }
        let (Some(row), Some(id)) = (row, id) else { break };
        if id != deposit {
            audit.deposits += 1;
            deposit = id;
        }
        let account: Option<String> = row.try_get("account")?;
        let Some(account) = account else { continue };
        let text = |column: &str| row.try_get::<String, _>(column);
        let amount: Option<Signed> = text("amount")?.parse().ok().map(Signed::into_account);
        let entry: Option<Signed> = text("entry_amount")?.parse().ok();
        let same = amount.is_some() && text("asset")? == text("entry_asset")?;
        let to = match (text("kind")?.as_str(), row.try_get::<Option<String>, _>("agent")?) {
            ("settle", Some(agent)) => Some(format!("revenue:{agent}")),
            ("deposit", _) => Some(format!("payer:{}", text("payer")?)),
            _ => None,
        };
        if same && Some(&account) == to.as_ref() && entry == amount {
            arrived += 1;
        } else if same && account == format!("chain:{}", text("network")?) && entry == amount.map(Signed::opposite) {
            from_chain += 1;
        } else {
            other += 1;
        }
    }
    Ok(())
}
