//! A run that an authorization pays: its beginning, and its beginning again after a failure.
//!
//! Promises: one authorization is one run, however often and from where it is shown at once, and an attacker who copied it from the
//! chain gets nothing without the offer's random bits; a payer, and an agent, has few that are neither settled nor given up.

use super::{
    authorizations::{AuthorizationState, LOOK_AFTER_MS, NewAuthorization, take_authorization},
    columns::signed,
    hold::failing_too_often,
    present::{add_payment_id, insert, is_shown, payment_id_taken, shown_before, take_presenter},
    runs::{NewRun, Run, whole},
    standing::{Has, is_beyond},
    store::{Books, BooksError, Result, Tx, again},
    watches::watch_is_answered,
};
use crate::{evm::Address, run::RunState};

/// Runs of one payer that are not done and that an unsettled authorization pays. He may have signed more than he has (N permits, one
/// balance), or cancel while we work.
pub const UNSETTLED_MAX: u32 = 3;
/// The same, of one agent, of all payers.
pub const UNSETTLED_OF_AGENT_MAX: u32 = 32;

#[derive(Clone, Debug)]
pub enum Claimed {
    /// A new row: `held`, or `waiting` for its settlement where that comes first.
    New(Run),
    /// The same authorization for the same agent and body, with the same offer: that run.
    Same(Run),
    /// This authorization was used for another agent or body: that run.
    OtherUse(Run),
    /// The call is the same, but not the offer that it was paid for by: whoever shows it did not make it, and learns nothing of the run.
    OtherOffer,
    /// The payer used this payment id for another proof, agent or body: that run.
    PaymentIdTaken(Run),
    /// The payer has [`UNSETTLED_MAX`] unsettled ones under way, or the agent [`UNSETTLED_OF_AGENT_MAX`].
    TooMany,
    /// With what the payer's other calls under way were promised, it is more than they have.
    Beyond,
    /// As [`super::HeldOrNot::FailingTooOften`].
    FailingTooOften(u64),
}

/// What another attempt of a failed run came to.
#[derive(Clone, Debug)]
pub enum Retried {
    Held(Run),
    /// It had not failed: somebody was faster.
    NotFailed(Run),
    /// Its authorization is over. Settled: the money is credit, and [`Books::hold`] takes it. Unused: only another payment can help.
    Over(Run),
    TooMany,
    /// As [`Claimed::Beyond`].
    Beyond,
    FailingTooOften(u64),
}

impl Books {
    /// Before the work, after the authorization was checked on chain. `new.payer` is who signed it.
    ///
    /// # Errors
    /// [`BooksError::Refused`] for a proof of another method, an asset of another network or an amount of nothing; and for an offer at
    /// another price than was signed, unless it is settled first: what is settled after the work is exactly the price.
    pub async fn claim(&self, new: &NewRun, authorization: &NewAuthorization, now_ms: i64) -> Result<Claimed> {
        if new.proof.split('/').next() != Some(authorization.method.word()) {
            return Err(BooksError::refused("an authorization's proof begins with its method"));
        }
        if authorization.asset.network != new.network || authorization.asset.token.is_none() {
            return Err(BooksError::refused("an authorization moves a token on its own network"));
        }
        if authorization.amount.is_zero() {
            return Err(BooksError::refused("nothing is sold for nothing"));
        }
        if let Some(terms) = &new.terms
            && (terms.asset != authorization.asset || (terms.price != authorization.amount && !authorization.settle_first))
        {
            return Err(BooksError::refused("an authorization is of its offer's asset and price"));
        }
        again(|| self.try_claim(new, authorization, now_ms)).await
    }

    async fn try_claim(&self, new: &NewRun, authorization: &NewAuthorization, now_ms: i64) -> Result<Claimed> {
        let mut tx = self.begin().await?;
        // All requests of this payer come one after the other from here.
        take_presenter(&mut tx, &new.payer.to_string(), now_ms).await?;
        if let Some(run) = payment_id_taken(&mut tx, new, now_ms).await? {
            return Ok(Claimed::PaymentIdTaken(run));
        }
        if let Some(run) = shown_before(&mut tx, new).await? {
            let claimed = claimed_again(&mut tx, new, run, now_ms).await?;
            tx.commit().await?;
            return Ok(claimed);
        }
        if let Some(wait_ms) = failing_too_often(&mut tx, new.payer, now_ms).await? {
            return Ok(Claimed::FailingTooOften(wait_ms));
        }
        if too_many_unsettled(&mut tx, new.payer, &new.agent, now_ms).await? {
            return Ok(Claimed::TooMany);
        }
        if let Some(has) = &authorization.has
            && is_beyond(&mut tx, new.payer, &authorization.asset, authorization.amount, has).await?
        {
            return Ok(Claimed::Beyond);
        }
        let held_for = (!authorization.settle_first).then_some((&authorization.asset, authorization.amount));
        if !insert(&mut tx, new, held_for, now_ms).await? {
            return Err(BooksError::refused("two claims of one payer at once"));
        }
        insert_authorization(&mut tx, new, authorization, now_ms).await?;
        if held_for.is_some() {
            watch_is_answered(&mut tx, new.payer, &new.agent, &new.input, now_ms).await?;
        }
        let run = whole(&mut tx, &new.id).await?;
        tx.commit().await?;
        Ok(Claimed::New(run))
    }

    /// `failed` → `held`, for free: its authorization is still open, so it can still be settled after the work. Attempts start anew.
    /// `has`: what the payer has now, as of [`NewAuthorization::has`].
    ///
    /// # Errors
    /// [`BooksError::Refused`] for a run that is not there, or that no authorization pays.
    pub async fn retry_authorized(&self, run: &str, has: Option<&Has>, now_ms: i64) -> Result<Retried> {
        again(|| self.try_retry(run, has, now_ms)).await
    }

    async fn try_retry(&self, run: &str, has: Option<&Has>, now_ms: i64) -> Result<Retried> {
        // Whose it is, and whose work, never changes.
        let Some(Run { payer, agent, .. }) = self.run(run).await? else {
            return Err(BooksError::refused(format_args!("there is no run {run}")));
        };
        let mut tx = self.begin().await?;
        take_presenter(&mut tx, &payer.to_string(), now_ms).await?;
        let too_many = too_many_unsettled(&mut tx, payer, &agent, now_ms).await?;
        let Some(taken) = take_authorization(&mut tx, run).await? else {
            return Err(BooksError::refused(format_args!("no authorization pays run {run}")));
        };
        let run = whole(&mut tx, run).await?;
        if run.state != RunState::Failed {
            return Ok(Retried::NotFailed(run));
        }
        if taken.state != AuthorizationState::Open || taken.valid_before_ms <= now_ms {
            return Ok(Retried::Over(run));
        }
        if let Some(wait_ms) = failing_too_often(&mut tx, payer, now_ms).await? {
            return Ok(Retried::FailingTooOften(wait_ms));
        }
        if too_many {
            return Ok(Retried::TooMany);
        }
        if let (Some(has), Some(paid)) = (has, &run.authorization)
            && is_beyond(&mut tx, payer, &paid.asset, paid.amount, has).await?
        {
            return Ok(Retried::Beyond);
        }
        sqlx::query(
            "update runs set state = 'held', held_ms = $2, finished_ms = null, attempts = 0, broke = 0, error = null, error_final = 0
             where run_id = $1 and state = 'failed'",
        )
        .bind(&run.id)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        if let Some(input) = &run.input {
            watch_is_answered(&mut tx, payer, &run.agent, input, now_ms).await?;
        }
        let run = whole(&mut tx, &run.id).await?;
        assert_eq!(run.state, RunState::Held, "its row was ours alone");
        tx.commit().await?;
        Ok(Retried::Held(run))
    }
}

/// A run that was void for too little credit, though its authorization was settled first, waits again to be judged again.
async fn claimed_again(tx: &mut Tx, new: &NewRun, run: Run, now_ms: i64) -> Result<Claimed> {
    if run.agent != new.agent || run.input_sha256 != new.input_sha256 {
        return Ok(Claimed::OtherUse(run));
    }
    let nonce = |terms: &Option<super::SealedTerms>| terms.as_ref().map(|terms| terms.nonce_sha256.clone());
    if nonce(&run.terms) != nonce(&new.terms) {
        return Ok(Claimed::OtherOffer);
    }
    let settled = |run: &Run| run.authorization.as_ref().is_some_and(|paid| paid.state == AuthorizationState::Settled);
    let waits = run.may_be_judged_again() && settled(&run);
    is_shown(tx, &run, new, waits, now_ms).await?;
    add_payment_id(tx, &run, new).await?;
    Ok(Claimed::Same(whole(tx, &run.id).await?))
}

/// Counting is no constraint: the payer's row and then the agent's are taken, so that two claims are counted one after the other.
async fn too_many_unsettled(tx: &mut Tx, payer: Address, agent: &str, now_ms: i64) -> Result<bool> {
    take_presenter(tx, &format!("agent:{agent}"), now_ms).await?;
    let of_payer: i64 = sqlx::query_scalar(
        "select count(*) from authorizations a join runs r on r.run_id = a.run_id
         where a.payer = $1 and a.state = 'open' and r.state in ('waiting', 'held', 'running')",
    )
    .bind(payer.to_string())
    .fetch_one(&mut **tx)
    .await?;
    if of_payer >= i64::from(UNSETTLED_MAX) {
        return Ok(true);
    }
    let of_agent: i64 = sqlx::query_scalar(
        "select count(*) from authorizations a join runs r on r.run_id = a.run_id
         where a.state = 'open' and r.agent = $1 and r.state in ('waiting', 'held', 'running')",
    )
    .bind(agent)
    .fetch_one(&mut **tx)
    .await?;
    Ok(of_agent >= i64::from(UNSETTLED_OF_AGENT_MAX))
}

async fn insert_authorization(tx: &mut Tx, new: &NewRun, authorization: &NewAuthorization, now_ms: i64) -> Result<()> {
    let look_ms = authorization.valid_before_ms.min(now_ms.saturating_add(LOOK_AFTER_MS));
    sqlx::query(
        "insert into authorizations (run_id, network, asset, payer, method, pay_to, amount, valid_before_ms, look_ms, signed,
                                     since_block, settle_first, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'open')",
    )
    .bind(&new.id)
    .bind(&new.network)
    .bind(authorization.asset.to_string())
    .bind(new.payer.to_string())
    .bind(authorization.method.word())
    .bind(authorization.pay_to.to_string())
    .bind(authorization.amount.to_string())
    .bind(authorization.valid_before_ms)
    .bind(look_ms)
    .bind(&authorization.signed)
    .bind(signed(authorization.since_block)?)
    .bind(i64::from(authorization.settle_first))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
