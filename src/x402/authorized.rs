//! A call that its payer signed for: verify, claim, work, settle, answer (docs/protocol.md, "Tokens").
//!
//! Nothing moves before the agent has answered, unless its card settles first. What is known about an authorization is in its run's row; the
//! chain is asked here once, before the row is made, and by `settling` after the work.

use std::time::Duration;

use tracing::warn;

use super::{
    authorization::{Authorization, Method, Refused, SignedBy, booked_nonce},
    call::{broken, hold_again, new_run, payment_id_taken, used, wait},
    decorator::Waiting,
    desk::{Desk, now_ms, settled_within_s},
    early,
    facilitator::{At, Facilitator, VerifyError, look},
    offers::Terms,
    settling::{self, Settlement},
    signer::Allowance,
    v1::{self, PaymentV1},
    verifying,
    wire::{EXACT, Proof},
};
use crate::{
    card::{Card, Settle},
    chain::Seen,
    error::{CallError, Code, Retry},
    ledger::{
        Claimed, Has, NewAuthorization, NewRun, Retried, Run,
        standing::{SETTLEMENTS_FAILED_MAX, SETTLEMENTS_SEEN},
    },
    money::Amount,
    network::Network,
    run::RunState,
};

/// A payer's front-runner may have sent it before we were shown it: so many blocks below the final head are searched.
const SENT_BEFORE_BLOCKS: u64 = 1_500;

/// Until a facilitator that was not ready is looked at again (`server::tokens`).
const NOT_READY_MS: u64 = 10_000;

/// What a payer signed, read at the edge.
pub struct Signed {
    authorization: Authorization,
    /// The payload as it was shown, for settling after a restart.
    payload: String,
    /// The offer that was echoed. Version 1 echoes none: then the price is today's.
    terms: Option<Terms>,
    payment_id: Option<String>,
}

/// # Errors
/// [`Code::PaymentInvalid`] with x402's reason.
pub fn of_v2(network: &Network, proof: Proof, terms: Terms, payment_id: Option<String>) -> Result<Signed, CallError> {
    let token = terms.asset.token.and_then(|token| network.token(token));
    // The seal is ours, so the token was taken when the offer was made.
    let token = token.ok_or_else(|| CallError::from(Code::AgentUnavailable))?;
    let authorization = Authorization::read(&proof, network, token).map_err(refused)?;
    Ok(Signed { authorization, payload: as_json(&proof), terms: Some(terms), payment_id })
}

/// Nothing says which token is meant but the signature.
///
/// # Errors
/// [`Code::PaymentInvalid`] with x402's reason.
pub fn of_v1(desk: &Desk, card: &Card, payment: &PaymentV1) -> Result<Signed, CallError> {
    let invalid = |reason: &'static str| refused(Refused::new(reason));
    if payment.scheme != EXACT {
        return Err(invalid("unsupported_scheme"));
    }
    let network = v1::network(desk, payment).ok_or_else(|| invalid("invalid_network"))?;
    let Proof::Eip3009(_) = &payment.payload else {
        return Err(CallError::from(Code::BadPaymentHeader).with_details("version 1 pays with an EIP-3009 authorization"));
    };
    let prices = desk.prices(card);
    let sold = |asset: &crate::money::Asset| prices.iter().any(|price| price.asset == *asset);
    let mut meant = None;
    for token in network.tokens.iter().filter(|token| Method::Eip3009.is_of(token)) {
        let authorization = Authorization::read(&payment.payload, network, token).map_err(refused)?;
        if sold(&authorization.asset()) && (meant.is_none() || authorization.signed_by() == SignedBy::Payer) {
            meant = Some(authorization);
        }
    }
    let authorization = meant.ok_or_else(|| invalid("invalid_network"))?;
    Ok(Signed { authorization, payload: as_json(&payment.payload), terms: None, payment_id: None })
}

fn as_json(proof: &Proof) -> String {
    // Plain data: it always serialises.
    serde_json::to_string(proof).unwrap_or_default()
}

fn refused(why: Refused) -> CallError {
    let code = if why.needs_allowance() { Code::Permit2AllowanceRequired } else { Code::PaymentInvalid };
    CallError::from(code).with_reason(&why.reason)
}

/// As [`super::call::paid`].
///
/// # Errors
/// The same.
pub async fn paid(
    desk: &Desk,
    card: &'static Card,
    signed: Signed,
    body: String,
    waiting: Waiting,
    allowance: Option<&Allowance>,
) -> Result<(Run, bool), CallError> {
    let Signed { authorization, payload, terms, payment_id } = signed;
    let authorization = authorization.buying(desk.bought(card.slug));
    if desk.is_halted(&authorization.network) {
        return Err(Code::VerifierUnavailable.into());
    }
    let proof = authorization.proof();
    let known = desk.books.find_run(&authorization.network, &proof, authorization.from).await.map_err(broken)?;
    // What the chain shows of an authorization, anyone can copy; who echoes the offer's random bits has made it. Version 1 echoes none, so
    // there it buys nothing any more when its time is over.
    let verified = match (&known, &terms) {
        (Some(_), Some(_)) => Verified::default(),
        (Some(run), None) => still_its_makers(run, &authorization, &payload).map(|()| Verified::default())?,
        (None, _) if desk.unmet.has(&authorization.network) => return Err(Code::VerifierUnavailable.into()),
        (None, _) => verify(desk, card, &authorization, terms.as_ref(), waiting.patience, allowance).await?,
    };
    let settle_first = known.is_none() && settles_first(desk, card, &authorization, &verified).await?;
    let new = NewRun {
        payment_id,
        terms: terms.as_ref().map(Terms::for_the_books),
        ..new_run(desk, card, authorization.from, body, authorization.network.clone(), proof)
    };
    let new_authorization = NewAuthorization {
        method: authorization.method,
        asset: authorization.asset(),
        pay_to: authorization.to,
        amount: authorization.value,
        valid_before_ms: authorization.valid_before_ms(),
        signed: payload,
        since_block: verified.since,
        settle_first,
        has: verified.has,
    };
    let (run, again) = match desk.books.claim(&new, &new_authorization, now_ms()).await.map_err(broken)? {
        Claimed::New(run) => (run, false),
        Claimed::Same(run) => (run, true),
        Claimed::OtherUse(run) => return Err(used(&run)),
        // Whoever shows it did not make it, and learns nothing of its run.
        Claimed::OtherOffer => return Err(Code::PaymentAlreadyUsed.into()),
        Claimed::PaymentIdTaken(run) => return Err(payment_id_taken(&run)),
        Claimed::TooMany => {
            desk.verifying.was_in_vain(authorization.from).await;
            return Err(CallError::saying(
                Code::RateLimited,
                "Too many signed payments are waiting to be settled. Nothing was charged; send the same payment again in a moment.",
            )
            .after_ms(5_000));
        }
        Claimed::Beyond => {
            desk.verifying.was_in_vain(authorization.from).await;
            return Err(beyond(&authorization));
        }
        Claimed::FailingTooOften(wait_ms) => return Err(CallError::from(Code::FailingTooOften).after_ms(wait_ms)),
    };
    let run = match run.state {
        RunState::Done => return Ok((run, true)),
        RunState::Void => return Ok((run, again)),
        RunState::Failed if waiting.only => return Ok((run, again)),
        RunState::Failed => run_again(desk, card, &authorization, terms.as_ref(), run, allowance).await?,
        _ => run,
    };
    match run.state {
        RunState::Waiting => desk.waiting.notify_waiters(),
        RunState::Held => desk.held.notify_one(),
        _ => {}
    }
    Ok((wait(desk, run, waiting.patience).await?, false))
}

/// A version 1 payment, shown again: it finds its run while its time lasts, by the signature alone. Never a demand for another payment: this one
/// may be under way.
fn still_its_makers(run: &Run, authorization: &Authorization, payload: &str) -> Result<(), CallError> {
    let is_signed =
        authorization.signed_by() == SignedBy::Payer || run.authorization.as_ref().is_some_and(|stored| stored.signed == payload);
    if !is_signed || authorization.valid_before_ms() < now_ms() {
        return Err(used_or_under_way(run));
    }
    Ok(())
}

/// Whoever shows it cannot be told what became of its run; but not to pay again while it goes on.
fn used_or_under_way(run: &Run) -> CallError {
    if run.state.ended() { Code::PaymentAlreadyUsed.into() } else { CallError::from(Code::PaymentPending).after_ms(2_000) }
}

/// A token payment whose offer is not ours (any more): if it pays a run already, it is no reason to ask for another one.
pub async fn known(desk: &Desk, network: &str, token: Option<crate::evm::Address>, proof: &Proof) -> Result<(), CallError> {
    let network = desk.chain(network).map(|chain| chain.network());
    let Some((network, token)) = network.and_then(|network| Some((network, network.token(token?)?))) else { return Ok(()) };
    let Ok(authorization) = Authorization::read(proof, network, token) else { return Ok(()) };
    let run = desk.books.find_run(&network.id, &authorization.proof(), authorization.from).await.map_err(broken)?;
    run.map_or(Ok(()), |run| Err(used_or_under_way(&run)))
}

/// Another attempt of a run that failed, for nothing more: its authorization was not used.
async fn run_again(
    desk: &Desk,
    card: &Card,
    authorization: &Authorization,
    terms: Option<&Terms>,
    run: Run,
    allowance: Option<&Allowance>,
) -> Result<Run, CallError> {
    if run.error.as_ref().is_some_and(|why| why.retry == Retry::No) {
        return Ok(run);
    }
    if run.deposit_block.is_some() {
        // Somebody sent it, so its price is credit: held from there as for any other payment.
        return hold_again(desk, &run).await;
    }
    let verified = ask(desk, card, authorization, terms, allowance).await?;
    if verified.is_untied {
        return booked_first(desk, &run).await;
    }
    match desk.books.retry_authorized(&run.id, verified.has.as_ref(), now_ms()).await.map_err(broken)? {
        Retried::Held(run) | Retried::NotFailed(run) => Ok(run),
        // Somebody has sent it in this moment.
        Retried::Over(run) if run.deposit_block.is_some() => hold_again(desk, &run).await,
        Retried::Over(_) => Err(Code::OfferExpired.into()),
        Retried::TooMany => Err(CallError::from(Code::RateLimited).after_ms(5_000)),
        Retried::Beyond => Err(beyond(authorization)),
        Retried::FailingTooOften(wait_ms) => Err(CallError::from(Code::FailingTooOften).after_ms(wait_ms)),
    }
}

/// The same where its money has moved, and nothing says for which of its payer's authorizations: another one may have taken it already.
async fn booked_first(desk: &Desk, run: &Run) -> Result<Run, CallError> {
    match settling::became_of(desk, run).await.map_err(|cause| unknown(&cause))? {
        Some(Settlement::Settled { deposit, of }) => {
            desk.books.settle_one_of(&run.id, &deposit, of, now_ms()).await.map_err(broken)?;
        }
        Some(Settlement::Over(why)) => return Err(refused(why)),
        Some(Settlement::Failed(_) | Settlement::Unknown) | None => {}
    }
    let run = desk.books.run(&run.id).await.map_err(broken)?.ok_or_else(|| CallError::from(Code::Internal))?;
    match run.deposit_block {
        Some(_) => hold_again(desk, &run).await,
        None => Err(unknown(&"its nonce is used, and for what is not final yet")),
    }
}

/// Everything that needs no chain. `terms`: the offer that has to hold still, for a payment that is shown for the first time.
fn check(desk: &Desk, card: &Card, authorization: &Authorization, terms: Option<&Terms>) -> Result<(), CallError> {
    let now = now_ms();
    let price = price(desk, card, authorization, terms)?;
    authorization.check(price, desk.pay_to, now).map_err(|why| {
        let limit = authorization.limit(&why);
        let why = refused(why);
        match limit {
            Some(limit) => why.with_details(limit),
            None => why,
        }
    })?;
    let work_ms = i64::try_from(card.time_limit.as_millis()).unwrap_or(i64::MAX);
    if card.settle != Settle::First && authorization.valid_before_ms() < now.saturating_add(work_ms) {
        // It would be over before the agent has answered: work that nobody can be charged for.
        return Err(refused(Refused::new(authorization.method.words().expired)).with_details(format_args!(
            "sign for {} s: the agent may take {} s, and settling comes after",
            settled_within_s(card),
            card.time_limit.as_secs()
        )));
    }
    Ok(())
}

/// The sealed price, or today's where no offer was echoed.
fn price(desk: &Desk, card: &Card, authorization: &Authorization, terms: Option<&Terms>) -> Result<Amount, CallError> {
    match terms {
        Some(terms) => Ok(terms.price),
        None => match desk.price(card, &authorization.asset()) {
            Some(price) => Ok(price.amount),
            None => Err(Code::AgentUnavailable.into()),
        },
    }
}

/// What was found out about a payment that was not settled yet.
#[derive(Clone, Default)]
struct Verified {
    /// The block from which on the chain may show what became of it.
    since: u64,
    /// What its payer had then. `None`: it has moved already.
    has: Option<Has>,
    /// Its payer is an account with code.
    has_code: bool,
    /// It has moved, in a transaction that does not say for which of its payer's authorizations.
    is_untied: bool,
}

/// A payment that is shown for the first time.
async fn verify(
    desk: &Desk,
    card: &Card,
    authorization: &Authorization,
    terms: Option<&Terms>,
    patience: Duration,
    allowance: Option<&Allowance>,
) -> Result<Verified, CallError> {
    if terms.is_some_and(|terms| terms.expires_ms < now_ms()) {
        return Err(Code::OfferExpired.into());
    }
    check(desk, card, authorization, terms)?;
    let chain = facilitator(desk, authorization)?.chain();
    early::wait(desk, chain, authorization, patience).await?;
    ask(desk, card, authorization, terms, allowance).await
}

/// The chain's word, as far as this visitor may have it asked; for all who show the same payment at once.
async fn ask(
    desk: &Desk,
    card: &Card,
    authorization: &Authorization,
    terms: Option<&Terms>,
    allowance: Option<&Allowance>,
) -> Result<Verified, CallError> {
    // What needs no node is told from what stands here and now.
    check(desk, card, authorization, terms)?;
    let facilitator = facilitator(desk, authorization)?;
    let chain = facilitator.chain();
    let asked = async {
        let has_bought = verifying::has_bought(desk, authorization).await?;
        verifying::may_show(allowance, has_bought)?;
        let at_first = facilitator.verify_at_first(authorization).await;
        let goes_on = match &at_first {
            Ok(()) => true,
            Err(VerifyError::Refused(why)) => why.is_used(),
            Err(VerifyError::Unknown(_)) => false,
        };
        if goes_on {
            verifying::may_ask(desk, authorization, allowance, has_bought).await?;
        }
        match verify_unsettled(desk, facilitator, authorization, at_first).await {
            Err(why) if early::explains(chain, authorization, &why).await => Err(early::not_yet()),
            Err(why) => {
                // Anybody can make up a signature of a contract's: that is not its doing.
                if goes_on && why.reason.as_deref() != Some(authorization.method.words().signature) {
                    desk.verifying.was_in_vain(authorization.from).await;
                }
                Err(why)
            }
            Ok(verified) => Ok(verified),
        }
    };
    desk.verifying.once(authorization, asked).await
}

async fn verify_unsettled(
    desk: &Desk,
    facilitator: &Facilitator,
    authorization: &Authorization,
    at_first: Result<(), VerifyError>,
) -> Result<Verified, CallError> {
    let chain = facilitator.chain();
    let (promised, verified) = match at_first {
        // What was promised is read before the balance: what is settled meanwhile is then missing from neither.
        Ok(()) => {
            let promised = desk.books.promised(authorization.from, &authorization.asset()).await.map_err(broken)?;
            (promised, facilitator.verify_rest(authorization).await)
        }
        // Nothing else is asked for a payment that is refused.
        Err(why) => (Vec::new(), Err(why)),
    };
    let since = async {
        let head = chain.final_head_lately().await.map_err(|cause| unknown(&cause))?;
        Ok::<_, CallError>(head.saturating_sub(SENT_BEFORE_BLOCKS))
    };
    match verified {
        Ok(purse) => {
            let since = since.await?;
            let nonces: Vec<_> = promised.iter().map(|promised| booked_nonce(&promised.proof)).collect();
            let known: Vec<_> = nonces.iter().copied().flatten().collect();
            let purse = match purse.filter(|_| known.is_empty()) {
                Some(purse) => purse,
                None => {
                    chain.purse(authorization.token.address, authorization.from, &known).await.map_err(|cause| unknown(&cause))?
                }
            };
            let mut used = purse.used.iter();
            let spent = promised.iter().zip(&nonces).filter(|(_, nonce)| nonce.is_some() && used.next() == Some(&true));
            let spent = spent.map(|(promised, _)| promised.run.clone()).collect();
            Ok(Verified { since, has: Some(Has { balance: purse.balance, spent }), has_code: purse.has_code, is_untied: false })
        }
        // Its nonce is used. Was it for us? Anybody may send what our payer signed.
        Err(VerifyError::Refused(why)) if why.is_used() => {
            let since = since.await?;
            match look(chain, authorization, None, since, At::Latest).await.map_err(|cause| unknown(&cause))? {
                Seen::Paid { .. } => Ok(Verified { since, ..Verified::default() }),
                Seen::Wrapped { .. } => Ok(Verified { since, is_untied: true, ..Verified::default() }),
                Seen::Elsewhere | Seen::Unused { .. } => Err(refused(why)),
                // It may have been for us: never a demand for another payment.
                Seen::Unclear => Err(unknown(&"its nonce is used, and for what cannot be told")),
            }
        }
        Err(VerifyError::Refused(why)) => Err(refused(why)),
        Err(VerifyError::Unknown(cause)) => Err(unknown(&cause)),
    }
}

/// Does the agent work for this payment only once it is settled? Always, where its card says so; where one transfer may be shown for several signatures
/// of its payer, since only the books tell which of them it pays; for strangers, where its work is dear; and for everybody, while more than half of its last settlements failed: then somebody has it work for nothing. Nobody honest is turned away meanwhile,
/// as they would be if tokens were not taken; a run that fails leaves its price as credit, as that of any coin.
async fn settles_first(desk: &Desk, card: &Card, authorization: &Authorization, verified: &Verified) -> Result<bool, CallError> {
    let by_card = match card.settle {
        Settle::First => true,
        Settle::FirstFromStrangers => verified.has_code || !desk.books.has_bought(authorization.from).await.map_err(broken)?,
        Settle::AfterWork => false,
    };
    if by_card || verified.is_untied {
        return Ok(true);
    }
    let failed = desk.books.settlements_failed(card.slug, now_ms()).await.map_err(broken)?;
    if failed > SETTLEMENTS_FAILED_MAX {
        let agent = card.slug;
        warn!(
            agent,
            failed,
            "{failed} of the last {SETTLEMENTS_SEEN} settlements of {agent} failed: it works for tokens only once they are settled"
        );
    }
    Ok(failed > SETTLEMENTS_FAILED_MAX)
}

/// Each of them alone is covered, and all together are not.
fn beyond(authorization: &Authorization) -> CallError {
    refused(Refused::new(authorization.method.words().balance))
        .with_details("your other calls under way were promised what is left of your balance: wait for them, or top it up")
}

/// Unknown is not no.
pub(super) fn unknown(cause: &dyn std::fmt::Display) -> CallError {
    CallError::saying(
        Code::VerifierUnavailable,
        "Your payment cannot be checked right now. Nothing was charged; send the same payment again in a moment.",
    )
    .with_details(cause)
    .after_ms(2_000)
}

/// Who signed has paid as far as they can: a facilitator that is not ready (yet, or for a while) is no reason to sign once more.
fn facilitator<'d>(desk: &'d Desk, authorization: &Authorization) -> Result<&'d Facilitator, CallError> {
    desk.facilitator(&authorization.network)
        .filter(|facilitator| facilitator.supports(&authorization.token, authorization.method))
        .ok_or_else(|| {
            CallError::saying(
                Code::VerifierUnavailable,
                "Tokens cannot be settled here right now. Nothing was charged; send the same payment again in a moment.",
            )
            .after_ms(NOT_READY_MS)
        })
}
