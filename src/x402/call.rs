//! One call, from its payment to its run: who shows it, what it echoes, the row, and the wait. It asks no chain.

use std::time::Duration;

use http::HeaderMap;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, timeout},
};
use tracing::error;

use super::{
    decorator::Waiting,
    desk::{Desk, now_ms},
    native,
    offers::{Terms, sha256_hex},
    presented::Presented,
    till::{self, Judged},
    wire::{EXACT, PaymentPayload, Proof},
};
use crate::{
    card::Card,
    error::{CallError, Code, Retry},
    evm::{Address, TxHash},
    ledger::{BooksError, NewRun, Presented as Row, Run},
    run::RunState,
    session::guard,
};

/// A run that another instance changed is seen at the latest after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A hash that no node knows for so long after it was first shown is said to be not found (B16).
const NOT_FOUND_MS: i64 = 2 * 60 * 1000;
/// A database's trouble is ours, not the payer's.
pub(crate) fn broken(cause: BooksError) -> CallError {
    error!(%cause, source = ?std::error::Error::source(&cause), "the books do not answer");
    Code::Internal.into()
}

/// Nobody paid yet: says the price, or what will certainly go wrong, before anybody does.
pub async fn unpaid(desk: &Desk, card: &Card, body: &str) -> Result<(Run, bool), CallError> {
    let known = desk.books.known_failure(card.slug, card.version, &sha256_hex(body.as_bytes())).await.map_err(broken)?;
    Err(match known {
        Some(failure) => CallError::invalid_input(vec![crate::error::FieldError {
            field: String::new(),
            error: format!("This agent failed on exactly this input before, and would again. {}", failure.error),
        }]),
        None => Code::PaymentRequired.into(),
    })
}

/// What is shown, once it is known to be well-formed and the presenter is known.
struct Shown {
    network: String,
    proof: String,
    transaction: Option<TxHash>,
    terms: Option<Terms>,
}

/// The run of a payment, as far as it came while the caller waited; `true`: it was answered before.
///
/// # Errors
/// Everything that makes no run, or says that it is not known yet what became of it.
pub async fn paid(
    desk: &Desk,
    card: &'static Card,
    headers: &HeaderMap,
    shown: Presented,
    body: String,
    waiting: Waiting,
) -> Result<(Run, bool), CallError> {
    let shown = understand(desk, card, shown)?;
    let payer = payer(desk, headers, &shown).await?;
    if desk.is_halted(&shown.network) {
        return Err(Code::VerifierUnavailable.into());
    }
    let id = uuid::Uuid::now_v7().to_string();
    let new = NewRun {
        agent: card.slug.to_owned(),
        version: card.version.to_owned(),
        payer,
        input_sha256: sha256_hex(body.as_bytes()),
        input: body,
        network: shown.network.clone(),
        proof: shown.proof.clone(),
        payment_id: None,
        terms: shown.terms.as_ref().map(Terms::for_the_books),
        key_sha256: sha256_hex(desk.seal.run_key(&id).as_bytes()),
        id,
    };
    let (run, again) = match desk.books.present(&new, now_ms()).await.map_err(broken)? {
        Row::New(run) => (run, false),
        Row::Same(run) => (run, true),
        Row::PaymentIdTaken(run) => {
            return Err(CallError::saying(
                Code::PaymentAlreadyUsed,
                "This payment id was already used for another payment or call of yours. Take a new one.",
            )
            .with_run(&run.id));
        }
        Row::OtherUse(run) => {
            return Err(CallError::saying(
                Code::PaymentAlreadyUsed,
                "This payment was already used for another call of yours. Pay again, or pay from your credit.",
            )
            .with_run(&run.id));
        }
        Row::TooManyVoid => {
            return Err(CallError::saying(
                Code::RateLimited,
                "Too many of your calls from credit came to nothing within the hour. Nothing was charged. Try again later.",
            )
            .after_ms(60_000));
        }
        Row::TooManyUnseen => {
            return Err(CallError::saying(
                Code::RateLimited,
                "Three of your payments are on their way and no block has them yet. Wait for one of them.",
            )
            .after_ms(5_000));
        }
    };
    let run = match run.state {
        RunState::Done => return Ok((run, true)),
        // Not found, or refused for good: the row says it.
        RunState::Void => return Ok((run, again)),
        RunState::Failed if waiting.only => return Ok((run, again)),
        RunState::Failed => hold_again(desk, &run).await?,
        RunState::Waiting if run.deposit_block.is_some() || shown.transaction.is_none() => judged(desk, &run).await?,
        _ => run,
    };
    if run.state == RunState::Waiting {
        desk.waiting.notify_waiters();
    }
    let run = wait(desk, run, waiting.patience).await?;
    unknown(desk, &run)?;
    Ok((run, false))
}

fn understand(desk: &Desk, card: &Card, shown: Presented) -> Result<Shown, CallError> {
    match shown {
        // `unpaid` answers it; nothing here holds then.
        Presented::Nothing => Err(Code::PaymentRequired.into()),
        Presented::V1(_) => Err(CallError::from(Code::PaymentInvalid).with_reason("unsupported_scheme")),
        // The workflow's own header names no network: it is the first one that the agent is sold on.
        Presented::BareHash(hash) => {
            let coin = desk.prices(card).into_iter().find(|price| price.asset.token.is_none());
            let coin = coin.ok_or_else(|| CallError::from(Code::AgentUnavailable))?;
            Ok(Shown { network: coin.asset.network, proof: native::proof_of(hash), transaction: Some(hash), terms: None })
        }
        Presented::V2(payload) => echoed(desk, card, &payload),
    }
}

/// The accepted offer must be ours, for this agent, and unchanged; then its terms hold.
fn echoed(desk: &Desk, card: &Card, payload: &PaymentPayload) -> Result<Shown, CallError> {
    let offer = &payload.accepted;
    let paid = match &payload.payload {
        Proof::Transaction(proof) => Some(proof.transaction),
        Proof::Credit(_) | Proof::Eip3009(_) | Proof::Permit2(_) => None,
    };
    let refused = |reason: &str| {
        let mut why = CallError::from(Code::PaymentInvalid).with_reason(reason);
        if let Some(hash) = paid {
            // It may have been paid: never ask for another payment before that one was looked at.
            why.error = "The payment does not fit an offer of this agent. Send its transaction hash alone, and it counts at today's price.".into();
            why.retry = Retry::SamePayment;
            why.transaction = Some(hash);
        }
        Err(why)
    };
    if offer.scheme != EXACT {
        return refused("unsupported_scheme");
    }
    if desk.chain(&offer.network).is_none() {
        return refused("invalid_network");
    }
    let terms = match offer.extra.offer.as_deref().map(|token| desk.seal.open(token)) {
        Some(Ok(terms)) => terms,
        _ => return refused("invalid_payment_requirements"),
    };
    let unchanged = terms.agent == card.slug
        && terms.amount == offer.amount
        && terms.pay_to == offer.pay_to
        && Some(&terms.asset) == offer.asset().as_ref()
        && terms.pay_to == desk.pay_to
        && offer.is_native();
    if !unchanged {
        return refused("invalid_payment_requirements");
    }
    let proof = match &payload.payload {
        Proof::Transaction(proof) => native::proof_of(proof.transaction),
        Proof::Credit(proof) => {
            let id: uuid::Uuid =
                proof.credit.parse().map_err(|_| CallError::from(Code::BadPaymentHeader).with_details("credit is a UUID"))?;
            format!("credit/{id}")
        }
        // A native offer is not paid by a token's authorization.
        Proof::Eip3009(_) | Proof::Permit2(_) => {
            return Err(CallError::from(Code::BadPaymentHeader).with_details("this payload does not pay a native offer"));
        }
    };
    Ok(Shown { network: offer.network.clone(), proof, transaction: paid, terms: Some(terms) })
}

/// Who shows it: the signed-in wallet. Whether the money is his, the chain will say. One indexed read, no row, no RPC.
async fn payer(desk: &Desk, headers: &HeaderMap, shown: &Shown) -> Result<Address, CallError> {
    let unknown = || CallError::from(if shown.transaction.is_some() { Code::PayerNotProven } else { Code::NotSignedIn });
    guard::signed_in(desk, headers).await?.map(|(wallet, _)| wallet).ok_or_else(unknown)
}

/// Another attempt of a run that failed: its price was released, and is held again.
async fn hold_again(desk: &Desk, run: &Run) -> Result<Run, CallError> {
    use crate::ledger::HeldOrNot;
    if run.error.as_ref().is_some_and(|why| why.retry == Retry::No) {
        // The same input would fail again; the row says why, and the price stands as credit.
        return Ok(run.clone());
    }
    let Some((asset, price)) = run.price.clone() else { return Ok(run.clone()) };
    match desk.books.hold(&run.id, &asset, price, now_ms()).await.map_err(broken)? {
        HeldOrNot::Held(run) => {
            desk.held.notify_one();
            Ok(run)
        }
        HeldOrNot::NotWaiting(run) => Ok(run),
        HeldOrNot::TooLow(balance) => {
            let chain = desk.chain(&run.network).ok_or_else(|| CallError::from(Code::AgentUnavailable))?;
            Err(CallError::saying(Code::AmountTooLow, "Your credit was spent on another run since. Pay for this one again.")
                .with_credit(chain.network().coin(balance)))
        }
        HeldOrNot::FailingTooOften(wait_ms) => Err(CallError::from(Code::FailingTooOften).after_ms(wait_ms)),
    }
}

/// A waiting run whose money, if any, is in the books already needs no chain.
async fn judged(desk: &Desk, run: &Run) -> Result<Run, CallError> {
    let expired =
        |terms: &crate::ledger::SealedTerms| native::transaction_of(&run.proof).is_none() && terms.expires_ms < now_ms();
    if run.terms.as_ref().is_some_and(expired) {
        let why = CallError::from(Code::OfferExpired);
        desk.books.void(&run.id, &why, now_ms()).await.map_err(broken)?;
        return Err(why);
    }
    match till::judge(desk, run).await.map_err(broken)? {
        Judged::HeldOff => Err(CallError::from(Code::FailingTooOften).after_ms(60_000)),
        Judged::Told => desk.books.run(&run.id).await.map_err(broken)?.ok_or_else(|| Code::Internal.into()),
    }
}

/// Waits until the run has ended, or for `patience`.
async fn wait(desk: &Desk, run: Run, patience: Duration) -> Result<Run, CallError> {
    let (until, mut changes) = (Instant::now() + patience, desk.changes());
    let mut last = run;
    while !last.state.ended() {
        last = desk.books.run(&last.id).await.map_err(broken)?.ok_or_else(|| CallError::from(Code::Internal))?;
        let left = until.saturating_duration_since(Instant::now());
        if last.state.ended() || left.is_zero() {
            break;
        }
        let ours = async {
            loop {
                match changes.recv().await {
                    Ok(id) if id != last.id => {}
                    // It changed, or changes were missed: look.
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // A time-out here is the look at what other instances did.
        let _ = timeout(left.min(LOOK_AGAIN), ours).await;
    }
    Ok(last)
}

/// A payment that nobody has seen is pending (202), not found for now (410), or cannot be looked for (503). Never a demand for money.
fn unknown(desk: &Desk, run: &Run) -> Result<(), CallError> {
    let unseen = run.state == RunState::Waiting && run.deposit_block.is_none() && run.included_block.is_none();
    let Some(transaction) = native::transaction_of(&run.proof).filter(|_| unseen) else { return Ok(()) };
    if desk.is_halted(&run.network) || !desk.chain(&run.network).is_some_and(|chain| chain.healthy()) {
        return Err(CallError::from(Code::VerifierUnavailable).with_transaction(transaction).with_run(&run.id).after_ms(2_000));
    }
    if now_ms() - run.created_ms > NOT_FOUND_MS {
        return Err(CallError::from(Code::PaymentNotFound).with_transaction(transaction).with_run(&run.id).after_ms(10_000));
    }
    Ok(())
}
