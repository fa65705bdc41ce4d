//! A run in a worker's hands: leased, captured or released. One that an open authorization pays ends in `settle` instead, or is released
//! without an entry: nothing was held for it.
//!
//! Promises: one worker at a time has it; who lost its lease writes nothing; its price is captured once, on success, or goes back; an
//! attempt is counted before the work, so that an input which kills its worker is not tried for ever.

use sha2::{Digest, Sha256};

use super::{
    authorizations::{AuthorizationState, take_authorization},
    columns::hex,
    entries::{Account, EventKind, Side, Taken, What, move_money, take},
    runs::{ATTEMPTS_MAX, Leased, Run, store_error, whole},
    store::{Books, BooksError, Result, Tx, again},
    turns::{self, Next, Whose},
};
use crate::{
    error::{CallError, Retry},
    money::{Amount, Asset},
    run::RunState,
};

/// Others who want the same oldest run at the same moment, before we say that there is none. They got theirs.
const LEASE_RACES_MAX: usize = 32;

impl Books {
    /// As [`Books::lease_run_of`], of anybody.
    pub async fn lease_run(&self, token: &str, now_ms: i64, for_ms: i64) -> Result<Option<Leased>> {
        self.lease_run_of(Whose::Anybodys, token, now_ms, for_ms).await
    }

    /// The run whose turn it is, of those that are held, or running with a lease that has ended. Counts the attempt, and the payer's turn, unless
    /// the work is done and only its payment is to be settled.
    pub async fn lease_run_of(&self, whose: Whose<'_>, token: &str, now_ms: i64, for_ms: i64) -> Result<Option<Leased>> {
        let until_ms = now_ms.saturating_add(for_ms);
        for _ in 0..LEASE_RACES_MAX {
            let Some(next) = self.next_in_turn(whose, now_ms).await? else { return Ok(None) };
            let gave_out = next.attempts >= i64::from(ATTEMPTS_MAX);
            let attempts = if gave_out || next.answered { next.attempts } else { next.attempts + 1 };
            if self.take_lease(&next, attempts, token, now_ms, until_ms).await? {
                let run = next.run;
                let run = self.run(&run).await?.ok_or_else(|| BooksError::Corrupt(format!("run {run} is gone")))?;
                let token = token.to_owned();
                if run.state != RunState::Running {
                    // Settled in this moment, and done.
                    continue;
                }
                // Read after the lease: whose lease had ended may have stored an answer until this moment.
                return Ok(Some(match (run.is_to_be_settled(), gave_out) {
                    (true, _) => Leased::Settle { run, token },
                    (false, true) => Leased::GaveOut { run, token },
                    (false, false) => Leased::Work { run, token },
                }));
            }
        }
        Ok(None)
    }

    /// `false`: another worker was faster. The attempts that we saw are in the fence, as a run can be failed and held anew in between.
    async fn take_lease(&self, next: &Next, attempts: i64, token: &str, now_ms: i64, until_ms: i64) -> Result<bool> {
        again(|| async {
            let mut tx = self.begin().await?;
            let taken = sqlx::query(
                "update runs set state = 'running', attempts = $3, lease_token = $4, lease_until_ms = $5
                 where run_id = $1 and attempts = $2 and (state = 'held' or (state = 'running' and lease_until_ms <= $6))",
            )
            .bind(&next.run)
            .bind(next.attempts)
            .bind(attempts)
            .bind(token)
            .bind(until_ms)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
            if taken.rows_affected() == 0 {
                return Ok(false);
            }
            if attempts > next.attempts {
                turns::begun(&mut tx, &next.payer, now_ms).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// `false`: the lease was lost; stop.
    pub async fn renew_lease(&self, run: &str, token: &str, until_ms: i64) -> Result<bool> {
        let renewed =
            sqlx::query("update runs set lease_until_ms = $3 where run_id = $1 and state = 'running' and lease_token = $2")
                .bind(run)
                .bind(token)
                .bind(until_ms)
                .execute(&self.pool)
                .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// The agent broke, and may be tried again: its lease ends now, and the next attempt follows at once. Counted apart from attempts that a
    /// restart took with it. `false`: the lease was lost.
    pub async fn broke(&self, run: &str, token: &str, now_ms: i64) -> Result<bool> {
        let ended = again(|| async {
            let ended = sqlx::query(
                "update runs set broke = broke + 1, lease_until_ms = $3 where run_id = $1 and state = 'running' and lease_token = $2",
            )
            .bind(run)
            .bind(token)
            .bind(now_ms)
            .execute(&self.pool)
            .await?;
            Ok(ended)
        });
        Ok(ended.await?.rows_affected() == 1)
    }

    /// `running` → `done`: stores the answer and takes its price. `false`: the lease was lost, nothing was written.
    ///
    /// # Errors
    /// [`BooksError::Refused`] for a run whose authorization is open: it is [`Books::answered`], then settled.
    pub async fn capture(&self, run: &str, token: &str, output: &str, engine: &str, now_ms: i64) -> Result<bool> {
        again(|| self.try_capture(run, token, output, engine, now_ms)).await
    }

    async fn try_capture(&self, run: &str, token: &str, output: &str, engine: &str, now_ms: i64) -> Result<bool> {
        let Some(run) = self.leased_run(run).await? else { return Ok(false) };
        if run.nothing_is_held() {
            return Err(BooksError::refused(format_args!("the authorization of run {} is not settled", run.id)));
        }
        let (asset, price) = price_of(&run)?;
        let mut tx = self.begin().await?;
        let mut held = take(&mut tx, &Account::Held(run.payer), &asset).await?;
        let done = sqlx::query(
            "update runs set state = 'done', output = $3, output_sha256 = $4, engine = $5, finished_ms = $6, error = null,
                             error_final = 0, lease_token = null, lease_until_ms = null
             where run_id = $1 and state = 'running' and lease_token = $2",
        )
        .bind(&run.id)
        .bind(token)
        .bind(output)
        .bind(hex(Sha256::digest(output)))
        .bind(engine)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let event = self.event(EventKind::Capture, What::Run(&run.id), now_ms)?;
        let revenue = Side::Sum(Account::Revenue(&run.agent));
        move_money(&mut tx, &event, &asset, price, Side::Row(&mut held), revenue).await?;
        ends_as(&mut tx, &run, RunState::Done, &held).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// `running` → `failed`: the price goes back to the payer's balance; if an open authorization pays it, nothing moves, and the
    /// authorization stays open. What the agent calls final for the input (`retry: no`) is remembered ([`Books::known_failures`]). `false`: the
    /// lease was lost, nothing was written.
    pub async fn release(&self, run: &str, token: &str, why: &CallError, now_ms: i64) -> Result<bool> {
        let error = store_error(why)?;
        again(|| self.try_release(run, token, &error, why.retry == Retry::No, now_ms)).await
    }

    /// The same for a run that ended without its agent's word: it broke, or its leases were lost. Whatever `why` says to its payer, nothing is
    /// known of the input: nobody else is kept from buying it.
    pub async fn give_up_run(&self, run: &str, token: &str, why: &CallError, now_ms: i64) -> Result<bool> {
        let error = store_error(why)?;
        again(|| self.try_release(run, token, &error, false, now_ms)).await
    }

    async fn try_release(&self, run: &str, token: &str, error: &str, is_final: bool, now_ms: i64) -> Result<bool> {
        let Some(run) = self.leased_run(run).await? else { return Ok(false) };
        if run.nothing_is_held() {
            match self.release_unsettled(&run, token, error, is_final, now_ms).await? {
                Unsettled::Released(ours) => {
                    if ours && is_final {
                        self.note_failure(&run, error, now_ms);
                    }
                    return Ok(ours);
                }
                // Its price is held now.
                Unsettled::SettledMeanwhile => {}
            }
        }
        let (asset, price) = price_of(&run)?;
        let mut tx = self.begin().await?;
        let mut credit = take(&mut tx, &Account::Payer(run.payer), &asset).await?;
        let mut held = take(&mut tx, &Account::Held(run.payer), &asset).await?;
        if !set_failed(&mut tx, &run.id, token, error, is_final, now_ms).await? {
            return Ok(false);
        }
        let event = self.event(EventKind::Release, What::Run(&run.id), now_ms)?;
        move_money(&mut tx, &event, &asset, price, Side::Row(&mut held), Side::Row(&mut credit)).await?;
        ends_as(&mut tx, &run, RunState::Failed, &held).await?;
        tx.commit().await?;
        if is_final {
            self.note_failure(&run, error, now_ms);
        }
        Ok(true)
    }

    /// No entries: nothing had been held. A withheld answer is forgotten, so that another attempt stores its own.
    async fn release_unsettled(&self, run: &Run, token: &str, error: &str, is_final: bool, now_ms: i64) -> Result<Unsettled> {
        let mut tx = self.begin().await?;
        let taken = take_authorization(&mut tx, &run.id).await?;
        if taken.is_some_and(|taken| taken.state == AuthorizationState::Settled) {
            return Ok(Unsettled::SettledMeanwhile);
        }
        if !set_failed(&mut tx, &run.id, token, error, is_final, now_ms).await? {
            return Ok(Unsettled::Released(false));
        }
        sqlx::query("update authorizations set answer = null, engine = null where run_id = $1")
            .bind(&run.id)
            .execute(&mut *tx)
            .await?;
        self.count_failure(&mut tx, &run.id, run.payer, now_ms).await?;
        tx.commit().await?;
        Ok(Unsettled::Released(true))
    }

    /// While a run is running, its payer, agent and price stand; whether the lease is ours, the update's fence says.
    async fn leased_run(&self, run: &str) -> Result<Option<Run>> {
        Ok(self.run(run).await?.filter(|run| run.state == RunState::Running))
    }
}

/// What releasing a run that an authorization pays came to.
enum Unsettled {
    /// `false`: the lease was lost.
    Released(bool),
    SettledMeanwhile,
}

/// `false`: the lease was lost.
async fn set_failed(tx: &mut Tx, run: &str, token: &str, error: &str, is_final: bool, now_ms: i64) -> Result<bool> {
    let failed = sqlx::query(
        "update runs set state = 'failed', error = $3, error_final = $4, finished_ms = $5, lease_token = null,
                         lease_until_ms = null
         where run_id = $1 and state = 'running' and lease_token = $2",
    )
    .bind(run)
    .bind(token)
    .bind(error)
    .bind(i64::from(is_final))
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(failed.rows_affected() == 1)
}

fn price_of(run: &Run) -> Result<(Asset, Amount)> {
    run.price.clone().ok_or_else(|| BooksError::Corrupt(format!("run {} is running without a price", run.id)))
}

/// The other side of the movement: the run that we commit is the one whose price we moved.
async fn ends_as(tx: &mut Tx, run: &Run, state: RunState, held: &Taken) -> Result<()> {
    let ended = whole(tx, &run.id).await?;
    assert_eq!(ended.state, state, "money moved for a run that ended so");
    assert_eq!(ended.price, run.price, "money moved for the price that was held");
    assert!(held.is_held_for(run.payer), "a hold pays for its own payer's run only");
    Ok(())
}
