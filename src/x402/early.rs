//! A signed payment that begins to hold in a moment: it is waited for, never refused.
//!
//! Whoever dates a payment with their own clock may be some seconds ahead of us, and we of the chain, whose blocks' time is what a token compares with.
//! The wait is bounded in time and number, and asks the chain for one number twice a second, however many wait.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    authorization::Authorization,
    authorized::unknown,
    decorator::WAIT_MAX,
    desk::{CLOCK_SLACK_MS, Desk, now_ms},
};
use crate::{
    chain::Chain,
    error::{CallError, Code},
};

/// For so long after its moment by our clock, a block that takes it is waited for. A chain that is quiet for longer may take it all the same: a block
/// is made when there is something to put into it.
const CHAIN_BEHIND_MS: i64 = 10_000;
/// Requests that wait at once; those beyond are asked to come again.
pub const WAITING_MAX: usize = 64;

/// May no block have come yet that takes it? `newest_ms`: the newest block's time, Unix milliseconds.
pub fn is_too_early_for(newest_ms: i64, authorization: &Authorization) -> bool {
    let after_ms = authorization.valid_after_ms();
    newest_ms <= after_ms && now_ms() < after_ms.saturating_add(CHAIN_BEHIND_MS)
}

/// Returns when a block has come that takes the payment, or should have. `patience`: of a caller who wants an answer sooner.
///
/// # Errors
/// [`Code::PaymentPending`]: not yet, the same payment again; [`Code::VerifierUnavailable`]: no node tells the time.
pub async fn wait(desk: &Desk, chain: &Chain, authorization: &Authorization, patience: Duration) -> Result<(), CallError> {
    // By every clock that is at all right it holds. Most payments do from the beginning of time.
    if now_ms() >= authorization.valid_after_ms().saturating_add(CHAIN_BEHIND_MS) {
        return Ok(());
    }
    let Ok(_place) = desk.early.try_acquire() else { return Err(not_yet()) };
    let until_ms = match i64::try_from(patience.as_millis()) {
        Ok(ms) if patience < WAIT_MAX => now_ms().saturating_add(ms),
        // It is early by half a minute at most, so this ends within the minute that proxies wait.
        _ => i64::MAX,
    };
    loop {
        // No node is asked before our own clock says so.
        pause_until(authorization.valid_after_ms().min(until_ms)).await;
        if !is_too_early_for(newest_ms(chain).await?, authorization) {
            return Ok(());
        }
        if now_ms() >= until_ms {
            return Err(not_yet());
        }
        sleep(chain.settings().poll).await;
    }
}

/// Was it refused for no more than that the chain's clock is behind ours? Then it is no reason to ask for another payment.
pub async fn explains(chain: &Chain, authorization: &Authorization, why: &CallError) -> bool {
    let (words, after_ms) = (authorization.method.words(), authorization.valid_after_ms());
    if now_ms() >= after_ms.saturating_add(CLOCK_SLACK_MS) {
        return false;
    }
    match why.reason.as_deref() {
        // A facilitator's clock is behind ours.
        Some(reason) if reason == words.early => true,
        Some(reason) if reason == words.simulation => newest_ms(chain).await.is_ok_and(|newest_ms| newest_ms <= after_ms),
        _ => false,
    }
}

async fn newest_ms(chain: &Chain) -> Result<i64, CallError> {
    let newest_s = chain.newest_time_s().await.map_err(|cause| unknown(&cause))?;
    Ok(i64::try_from(newest_s.saturating_mul(1000)).unwrap_or(i64::MAX))
}

async fn pause_until(at_ms: i64) {
    sleep(Duration::from_millis(u64::try_from(at_ms.saturating_sub(now_ms())).unwrap_or(0))).await;
}

pub fn not_yet() -> CallError {
    CallError::saying(
        Code::PaymentPending,
        "Your payment is not valid on the chain yet. Nothing was charged; send the same payment again in a moment.",
    )
    .after_ms(2_000)
}
