//! Each balance is the sum of its entries, and each account that has entries and should have a balance has one.

use futures::TryStreamExt;
use sqlx::Row;

use super::Findings;
use crate::{
    ledger::{
        signed::Signed,
        store::{Result, Tx},
    },
    money::Amount,
};

/// A balance, and the sum of the entries read so far. `None`: it cannot be read, or past 256 bits.
struct Account {
    account: String,
    asset: String,
    balance: Option<Amount>,
    sum: Option<Signed>,
}

pub(super) async fn audit_balances(tx: &mut Tx, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select b.account, b.asset, b.amount as balance, e.amount
         from balances b left join entries e on e.account = b.account and e.asset = b.asset
         order by b.account, b.asset",
    )
    .fetch(&mut **tx);
    let mut current: Option<Account> = None;
    while let Some(row) = rows.try_next().await? {
        let (account, asset, balance): (String, String, String) =
            (row.try_get("account")?, row.try_get("asset")?, row.try_get("balance")?);
        if current.as_ref().is_none_or(|current| (&current.account, &current.asset) != (&account, &asset)) {
            if let Some(done) = current.take() {
                done.report(found);
            }
            current = Some(Account { account, asset, balance: balance.parse().ok(), sum: Some(Signed::ZERO) });
        }
        let amount: Option<String> = row.try_get("amount")?;
        if let (Some(amount), Some(current)) = (amount, &mut current) {
            current.sum = current.sum.zip(amount.parse().ok()).and_then(|(sum, amount)| sum.plus(amount));
        }
    }
    if let Some(done) = current {
        done.report(found);
    }
    Ok(())
}

impl Account {
    fn report(self, found: &mut Findings) {
        let Self { account, asset, balance, sum } = self;
        match (balance, sum) {
            (Some(balance), Some(sum)) if sum == Signed::into_account(balance) => {}
            (Some(balance), Some(sum)) => {
                found.add(format_args!("balance of {account} in {asset}: it is {balance}, but its entries come to {sum}"));
            }
            (None, _) => found.add(format_args!("balance of {account} in {asset}: it is no amount")),
            (_, None) => found.add(format_args!("balance of {account} in {asset}: its entries have no sum")),
        }
    }
}

pub(super) async fn audit_missing_balances(tx: &mut Tx, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select e.event_id, e.account, e.asset from entries e
         where (e.account like 'payer:%' or e.account like 'held:%')
           and not exists (select 1 from balances b where b.account = e.account and b.asset = e.asset)
         order by e.event_id, e.account",
    )
    .fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        let (event, account, asset): (String, String, String) =
            (row.try_get("event_id")?, row.try_get("account")?, row.try_get("asset")?);
        found.add(format_args!("event {event}: {account} has no balance in {asset}"));
    }
    Ok(())
}
