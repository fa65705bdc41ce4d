//! A run's way to its money: held, or void. Before a worker knows of it.
//!
//! Promises: a run is held once, from the payer's whole balance in that asset, or nothing changes; a balance is never negative.

use super::{
    columns::signed,
    entries::{Account, EventKind, Side, What, move_money, take},
    runs::{FAILURES_MAX, HeldOrNot, Run, store_error, whole},
    store::{Books, BooksError, Result, Tx, again},
    watches::watch_is_answered,
};
use crate::{
    error::CallError,
    evm::Address,
    money::{Amount, Asset},
    run::RunState,
};

/// In which [`FAILURES_MAX`] failures of one wallet are a pause.
pub(super) const FAILURES_WITHIN_MS: i64 = 60 * 60 * 1000;

impl Books {
    /// `waiting`, `failed` (again, for free) or `void` for too little credit → `held`, from the payer's whole balance in that asset.
    /// Attempts start anew. A watch that asked for this very run is answered. A run that an authorization pays is held only once that is
    /// settled; before, it is [`HeldOrNot::NotWaiting`].
    ///
    /// # Errors
    /// [`BooksError::Refused`] for a run that is not there, a price of nothing, or an asset of another network than its payment's.
    pub async fn hold(&self, run: &str, asset: &Asset, price: Amount, now_ms: i64) -> Result<HeldOrNot> {
        if price.is_zero() {
            return Err(BooksError::refused("nothing is sold for nothing"));
        }
        again(|| self.try_hold(run, asset, price, now_ms)).await
    }

    async fn try_hold(&self, run: &str, asset: &Asset, price: Amount, now_ms: i64) -> Result<HeldOrNot> {
        // Whose it is never changes, so it may be read before his balance is taken; all else is read after.
        let Some(payer) = self.run(run).await?.map(|run| run.payer) else {
            return Err(BooksError::refused(format_args!("there is no run {run}")));
        };
        let mut tx = self.begin().await?;
        let mut credit = take(&mut tx, &Account::Payer(payer), asset).await?;
        let run = whole(&mut tx, run).await?;
        assert_eq!(run.payer, payer, "a hold takes from its own payer only");
        if run.network != asset.network {
            return Err(BooksError::refused("money of one network never pays on another"));
        }
        // What its authorization brings, if anything, is not his yet.
        if run.nothing_is_held() || !may_be_held(&run) {
            return Ok(HeldOrNot::NotWaiting(run));
        }
        if let Some(wait_ms) = failing_too_often(&mut tx, run.payer, now_ms).await? {
            return Ok(HeldOrNot::FailingTooOften(wait_ms));
        }
        if credit.amount < price {
            return Ok(HeldOrNot::TooLow(credit.amount));
        }
        let mut held = take(&mut tx, &Account::Held(run.payer), asset).await?;
        let event = self.event(EventKind::Hold, What::Run(&run.id), now_ms)?;
        move_money(&mut tx, &event, asset, price, Side::Row(&mut credit), Side::Row(&mut held)).await?;
        if !set_held(&mut tx, &run, asset, price, now_ms).await? {
            // Held meanwhile from another asset's balance: drop what we wrote and tell what is there.
            tx.rollback().await?;
            let mut tx = self.begin().await?;
            return Ok(HeldOrNot::NotWaiting(whole(&mut tx, &run.id).await?));
        }
        if let Some(input) = &run.input {
            watch_is_answered(&mut tx, run.payer, &run.agent, input, now_ms).await?;
        }
        let run = whole(&mut tx, &run.id).await?;
        assert_eq!(run.price, Some((asset.clone(), price)), "a run's price is what is held for it");
        tx.commit().await?;
        Ok(HeldOrNot::Held(run))
    }

    /// `waiting` → `void`: the proof was not what it should be. What arrived, if anything, is credit already. Any other state stays.
    pub async fn void(&self, run: &str, why: &CallError, now_ms: i64) -> Result<()> {
        let why = store_error(why)?;
        again(|| async {
            sqlx::query(
                "update runs set state = 'void', error = $2, error_final = 0, finished_ms = $3
                 where run_id = $1 and state = 'waiting'",
            )
            .bind(run)
            .bind(&why)
            .bind(now_ms)
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    /// Where a waiting run's transaction was seen, for the page's stages.
    pub async fn set_included(&self, network: &str, proof: &str, block: Option<u64>) -> Result<()> {
        let block = block.map(signed).transpose()?;
        again(|| async {
            sqlx::query(
                "update runs set included_block = $3
                 where network = $1 and proof = $2 and state = 'waiting' and coalesce(included_block, -1) <> coalesce(cast($3 as bigint), -1)",
            )
            .bind(network)
            .bind(proof)
            .bind(block)
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }
}

fn may_be_held(run: &Run) -> bool {
    matches!(run.state, RunState::Waiting | RunState::Failed) || run.may_be_judged_again()
}

/// Milliseconds until there is one failure less than too many. All are counted, also several of one run.
pub(super) async fn failing_too_often(tx: &mut Tx, payer: Address, now_ms: i64) -> Result<Option<u64>> {
    let last: Vec<i64> = sqlx::query_scalar(
        "select at_ms from (
             select at_ms from entries where account = $1 and kind = 'release' and at_ms > $2
             union all
             select failed_ms as at_ms from failures where payer = $3 and failed_ms > $2
         ) failed order by at_ms desc limit $4",
    )
    .bind(Account::Payer(payer).to_string())
    .bind(now_ms.saturating_sub(FAILURES_WITHIN_MS))
    .bind(payer.to_string())
    .bind(i64::from(FAILURES_MAX))
    .fetch_all(&mut **tx)
    .await?;
    let Some(first) = last.get(FAILURES_MAX as usize - 1) else { return Ok(None) };
    Ok(Some(first.saturating_add(FAILURES_WITHIN_MS).saturating_sub(now_ms).unsigned_abs()))
}

/// `false`: it is not what we read any more.
async fn set_held(tx: &mut Tx, run: &Run, asset: &Asset, price: Amount, now_ms: i64) -> Result<bool> {
    let held = sqlx::query(
        "update runs set state = 'held', asset = $2, price = $3, held_ms = $4, finished_ms = null, attempts = 0, broke = 0, error = null,
                         error_final = 0
         where run_id = $1 and state = $5",
    )
    .bind(&run.id)
    .bind(asset.to_string())
    .bind(price.to_string())
    .bind(now_ms)
    .bind(run.state.word())
    .execute(&mut **tx)
    .await?;
    Ok(held.rows_affected() == 1)
}
