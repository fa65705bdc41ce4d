//! What an answer to a paid request means, and when to ask again. Pure: unknown is never "no", and the same payment is asked about again, never
//! another one made (C2, C3, C8).

use super::request::{Answer, stage_of};
use crate::{
    error::{CallError, Code, Retry, Stage},
    evm::TxHash,
    x402::{
        phase::{Means, Phase},
        wire::MAY_ARRIVE,
    },
};

/// After this a wait is called long (C3).
pub const LONG_MS: i64 = 10_000;
/// Between two attempts, at least: whatever the server asks for.
const SHORTEST_MS: u64 = 200;
/// Between two attempts, at most, once it takes long.
const LONGEST_MS: u64 = 5_000;
/// How often "something broke on our side" is asked again before the visitor is told.
const BROKEN_MAX: u32 = 4;

pub const TAKES_LONG: &str = "This takes longer than usual. You can close this tab: the server finishes without it.";
const NOT_SEEN: &str = "The network does not know this payment yet. It can still arrive, so do not pay again: look into your wallet. If it is sped \
                        up or cancelled there, this page follows by itself.";
pub const SENT_AGAIN: &str = "Your wallet sent this payment again under another hash. It counts for this run.";
const CHECKING: &str = "Your payment is safe. We are checking.";
const UNREACHABLE: &str = "The shop cannot be reached right now. Nothing is lost; this page keeps asking.";

/// What to do after one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is over: the payment bought its answer, or never will. Forget it.
    Over,
    /// It is over for now, and the same payment can be tried again by a click.
    Stuck {
        /// Also after a reload. Not where trying would work and charge by itself: a failed run waits for its click.
        remember: bool,
    },
    Again {
        after_ms: u64,
        stage: Option<Stage>,
        note: Option<&'static str>,
    },
}

/// `waited_ms` since the payment was first shown, `broken` attempts in a row that ended in `internal`.
pub fn next(attempt: &Result<Answer, CallError>, waited_ms: i64, broken: u32) -> Next {
    let error = match attempt {
        Ok(answer) => match answer.failure() {
            None => return Next::Over,
            Some(error) => error,
        },
        Err(error) => error.clone(),
    };
    let again = |note| Next::Again { after_ms: pause_ms(error.retry_after_ms, waited_ms), stage: stage_of(&error), note };
    match error.code {
        Code::PaymentPending => again((waited_ms >= LONG_MS).then_some(TAKES_LONG)),
        Code::PayerUnknown => again(Some(Code::PayerUnknown.sentence())),
        // It can still come, or be found under another hash: nobody is to pay again, and this page goes on by itself.
        Code::PaymentNotFound if error.reason.as_deref() == Some(MAY_ARRIVE) => again(Some(NOT_SEEN)),
        Code::Running => again(None),
        Code::VerifierUnavailable => again(Some(CHECKING)),
        Code::Offline => again(Some(UNREACHABLE)),
        Code::RateLimited => again(None),
        Code::Internal if broken < BROKEN_MAX => again(None),
        Code::AgentFailed | Code::FailingTooOften => Next::Stuck { remember: false },
        _ => match error.retry {
            Retry::SamePayment => Next::Stuck { remember: true },
            Retry::NewPayment | Retry::No => Next::Over,
        },
    }
}

/// What the server asks for, within bounds; longer and longer once the wait is long.
fn pause_ms(asked_ms: Option<u64>, waited_ms: i64) -> u64 {
    let long = u64::try_from(waited_ms - LONG_MS).unwrap_or(0);
    let slower = (long / 10).min(LONGEST_MS);
    asked_ms.unwrap_or(1_000).clamp(SHORTEST_MS, LONGEST_MS).max(slower)
}

/// The phase that a stage is. Credit has no transaction, and an authorization none before it is settled: what is not running yet is still being
/// asked, or looked at.
pub fn phase(stage: Stage, transaction: Option<TxHash>, means: Means) -> Phase {
    match (stage, transaction) {
        (Stage::Running, None) if means == Means::Authorization => Phase::Working,
        (Stage::Running, transaction) => Phase::Running(transaction),
        (Stage::Sent, Some(hash)) => Phase::Sent(hash),
        (Stage::Included, Some(hash)) => Phase::Included(hash),
        (Stage::Final, Some(hash)) => Phase::Final(hash),
        (_, None) if means == Means::Authorization => Phase::Signed,
        (_, None) => Phase::Asking,
    }
}

/// D2: what became of a failed run's payment, where the answer does not say it. A transfer's price is credit, which the answer names.
pub fn in_full(error: CallError, means: Means) -> CallError {
    let unused = means == Means::Authorization && error.code == Code::AgentFailed && error.transaction.is_none();
    if !unused || error.error.contains("authorization") {
        return error;
    }
    CallError { error: format!("{} Your authorization was not used.", error.error), ..error }
}

/// Only the person's own no answers the wallet's question. After anything else it may be open, or have paid all the same: it stays remembered until
/// the chain, or the visitor, has answered it.
pub fn is_refusal(error: &CallError) -> bool {
    error.code == Code::PaymentCancelled
}

/// What the wallet's error means once it was asked to pay: not that nothing was charged, unless the person said no.
pub fn after_asking(error: CallError) -> CallError {
    match error.code {
        // What says more already, such as that there was no hash, stays.
        Code::WalletFailed if error.error == Code::WalletFailed.sentence() => CallError {
            error: "Your wallet answered with an error. If it paid all the same, the payment is found by itself.".into(),
            ..error
        },
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn answer(error: CallError) -> Result<Answer, CallError> {
        let body = serde_json::to_string(&error).unwrap();
        Ok(Answer { status: error.code.status(), body, headers: Vec::new() })
    }

    #[test]
    fn a_result_ends_it() {
        assert_eq!(next(&Ok(Answer { status: 200, ..Answer::default() }), 0, 0), Next::Over);
    }

    #[test]
    fn c1_a_202_says_how_far_it_is_and_when_to_ask_again() {
        let pending = answer(CallError::from(Code::PaymentPending).at_stage(Stage::Included).after_ms(400));
        assert_eq!(next(&pending, 0, 0), Next::Again { after_ms: 400, stage: Some(Stage::Included), note: None });
        let running = answer(Code::Running.into());
        assert_eq!(next(&running, 0, 0), Next::Again { after_ms: 1_000, stage: Some(Stage::Running), note: None });
    }

    #[test]
    fn p3_a_payment_whose_sender_is_not_known_yet_is_said_to_have_arrived_and_asked_about_again() {
        let unknown = answer(CallError::from(Code::PayerUnknown).at_stage(Stage::Final).after_ms(5_000));
        let note = Some("Your payment has arrived; we are finding out which account sent it.");
        assert_eq!(next(&unknown, 0, 0), Next::Again { after_ms: 5_000, stage: Some(Stage::Final), note });
    }

    #[test]
    fn c3_a_long_wait_is_said_and_slows_down_to_five_seconds() {
        let pending = answer(CallError::from(Code::PaymentPending).after_ms(300));
        let pause = |waited_ms| match next(&pending, waited_ms, 0) {
            Next::Again { after_ms, note, .. } => (after_ms, note.is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!(pause(LONG_MS - 1), (300, false));
        assert_eq!(pause(LONG_MS), (300, true));
        assert_eq!(pause(30_000), (2_000, true));
        assert_eq!(pause(3_600_000), (5_000, true));
    }

    #[test]
    fn p7_unknown_is_never_pay_again_while_the_payment_can_still_come() {
        let lost = CallError::from(Code::PaymentNotFound);
        let may_arrive = answer(lost.clone().with_reason(MAY_ARRIVE));
        let Next::Again { note: Some(note), .. } = next(&may_arrive, 130_000, 0) else { panic!("it waits") };
        assert!(note.contains("do not pay again"), "{note}");
        assert_eq!(next(&answer(lost), 130_000, 0), Next::Stuck { remember: true }, "a second one is asked about");
        assert_eq!(next(&answer(Code::PaymentReplaced.into()), 0, 0), Next::Over, "the offer opens again");
    }

    #[test]
    fn a_server_cannot_make_us_hammer_it_or_sleep_for_ever() {
        for (asked, kept) in [(0, 200), (60_000_000, 5_000)] {
            let Next::Again { after_ms, .. } = next(&answer(CallError::from(Code::PaymentPending).after_ms(asked)), 0, 0) else {
                panic!("it waits")
            };
            assert_eq!(after_ms, kept);
        }
    }

    #[test]
    fn c8_not_knowing_is_asked_again_and_never_paid_again() {
        for unknown in [Code::VerifierUnavailable, Code::Offline, Code::RateLimited] {
            assert!(matches!(next(&Err(unknown.into()), 0, 0), Next::Again { stage: None, .. }), "{unknown}");
        }
        let gateway = Ok(Answer { status: 504, body: "<html>".into(), ..Answer::default() });
        assert!(matches!(next(&gateway, 0, 0), Next::Again { .. }));
        let broken = answer(Code::Internal.into());
        assert!(matches!(next(&broken, 0, 3), Next::Again { .. }));
        assert_eq!(next(&broken, 0, 4), Next::Stuck { remember: true });
    }

    #[test]
    fn d2_a_failed_run_keeps_its_payment_for_a_click_and_never_runs_again_by_itself() {
        assert_eq!(next(&answer(Code::AgentFailed.into()), 0, 0), Next::Stuck { remember: false });
        assert_eq!(next(&answer(Code::FailingTooOften.into()), 0, 0), Next::Stuck { remember: false });
    }

    #[test]
    fn c11_b16_what_the_same_payment_can_still_buy_is_remembered() {
        for code in [Code::NotSignedIn, Code::PayerNotProven, Code::PaymentNotFound] {
            assert_eq!(next(&answer(code.into()), 0, 0), Next::Stuck { remember: true }, "{code}");
        }
    }

    #[test]
    fn c6_what_will_never_buy_an_answer_is_forgotten() {
        for code in [
            Code::PaymentReverted,
            Code::WrongRecipient,
            Code::AmountTooLow,
            Code::PaymentTooOld,
            Code::PayerMismatch,
            Code::PaymentAlreadyUsed,
            Code::UnsupportedTransfer,
            Code::BadPaymentHeader,
            Code::ContentDeleted,
        ] {
            assert_eq!(next(&answer(code.into()), 0, 0), Next::Over, "{code}");
        }
    }

    #[test]
    fn a5_only_a_no_ends_a_wallets_question() {
        assert!(is_refusal(&Code::PaymentCancelled.into()));
        for unknown in [Code::WalletBusy, Code::WalletFailed, Code::WalletDisconnected, Code::Offline] {
            assert!(!is_refusal(&unknown.into()), "{unknown}");
        }
        let said = after_asking(CallError::from(Code::WalletFailed).with_details("-32603"));
        assert!(!said.error.contains("Nothing was charged") && said.details.is_some(), "{said:?}");
        assert_eq!(after_asking(Code::PaymentCancelled.into()), Code::PaymentCancelled.into());
        let no_hash = CallError::saying(Code::WalletFailed, "No hash.");
        assert_eq!(after_asking(no_hash.clone()), no_hash);
    }

    #[test]
    fn credit_has_no_stages_on_a_chain() {
        assert_eq!(phase(Stage::Final, None, Means::Credit), Phase::Asking);
        assert_eq!(phase(Stage::Running, None, Means::Credit), Phase::Running(None));
        assert_eq!(phase(Stage::Sent, Some(TxHash([1; 32])), Means::Transfer), Phase::Sent(TxHash([1; 32])));
    }

    #[test]
    fn an_authorization_is_not_called_paid_before_it_is_settled() {
        assert_eq!(phase(Stage::Final, None, Means::Authorization), Phase::Signed);
        assert_eq!(phase(Stage::Running, None, Means::Authorization), Phase::Working);
        let hash = TxHash([1; 32]);
        assert_eq!(phase(Stage::Sent, Some(hash), Means::Authorization), Phase::Sent(hash));
        assert_eq!(phase(Stage::Running, Some(hash), Means::Authorization), Phase::Running(Some(hash)), "settled first");
    }

    #[test]
    fn d2_a_failed_run_says_that_its_authorization_was_not_used() {
        let failed = CallError::agent_failed("No code there.");
        let said = in_full(failed.clone(), Means::Authorization).error;
        assert_eq!(said, "The run failed: No code there. You were not charged. Your authorization was not used.");
        assert_eq!(in_full(CallError { error: said.clone(), ..failed.clone() }, Means::Authorization).error, said, "once");
        assert_eq!(in_full(failed.clone(), Means::Transfer), failed);
        let settled = failed.with_transaction(TxHash([1; 32]));
        assert_eq!(in_full(settled.clone(), Means::Authorization), settled, "settled first: its price is credit");
    }
}
