//! A payment beside something that is no call: another method, no body, another content type, too much, no JSON, an input that cannot be used.
//!
//! The request is refused for what is wrong with it, and never with offers: whoever shows a payment has made one, and a client that sees offers
//! pays. What was shown is not used, so the same payment still buys the call that was meant (`retry: same_payment`). A transaction's money was
//! sent, so where its payer is known by a session or a signature, it is followed until it is their credit (`ledger::followed`); an authorization
//! is not settled, and no credit is spent.

use http::{HeaderMap, Request};

use super::{
    call::{Caller, broken},
    desk::{Desk, now_ms},
    native, native_proof,
    presented::{self, Presented},
    sign_in, signer, unseen, v1,
    wire::{Offer, Proof, TransactionProof},
};
use crate::{
    card::Card,
    error::{CallError, Code, Retry},
    evm::Address,
    ledger::followed::Followed,
    session::guard,
    x402::fetch::request::PAID,
};

/// What is left of sentences that know of no payment.
const NOTHING_CHARGED: &str = "Nothing was charged.";

/// `why` is what is wrong with the request; what became of the payment beside it is added. Without a payment it is told as it is.
/// `card`: `None` where no agent is called.
pub async fn beside(
    desk: &Desk,
    card: Option<&Card>,
    caller: Caller<'_>,
    shown: Result<Presented, CallError>,
    why: CallError,
) -> CallError {
    let shown = match shown {
        Ok(Presented::Nothing) => return why,
        Ok(shown) => shown,
        Err(unreadable) => {
            let unused = unused(why, "Nor can it be read: what is wrong with it is under `details`.");
            return CallError { details: unreadable.details.or(unused.details), ..unused };
        }
    };
    let sent = match sent(desk, card, &shown) {
        Ok(sent) => sent,
        Err(said) => return unused(why, said),
    };
    let followed = match follow(desk, caller, &sent).await {
        Ok(followed) => followed,
        // Unknown is not no.
        Err(unknown) if is_unknown(&unknown) => {
            let unused = unused(
                why.with_transaction(sent.proof.transaction),
                "Whether a contract has signed for it cannot be found out right now, so it is not followed yet: send the same payment again in a \
                 moment, with a call.",
            );
            return CallError { retry_after_ms: unknown.retry_after_ms, ..unused };
        }
        Err(broken) => return broken.with_transaction(sent.proof.transaction),
    };
    let why = why.with_transaction(sent.proof.transaction);
    match followed {
        Became::NotShown => unused(
            why,
            "It is not shown to be yours, so it is not followed: sign in with the wallet that sent it, or sign the proof of payment with its \
             key, and send it with a call.",
        ),
        // Nothing is lost: what arrives is booked, whoever told of it.
        Became::NotSeen => unused(
            why,
            "No block has it yet, as far as we know, so it is not followed yet. When it arrives it is your credit; or send the same payment with a call.",
        ),
        Became::Followed(Followed::Yes) => {
            unused(why, "It is followed, and when it is final it is your credit. Or send the same payment with a call.")
        }
        Became::Followed(Followed::Arrived) => unused(why, "It has arrived, and is yours: send the same payment with a call."),
        Became::Followed(Followed::Elsewhere) => unused(why, "It stays the credit of the wallet that sent it."),
        Became::Followed(Followed::OfRun(run)) => {
            unused(why.with_run(run), "It is that of another call of yours, which is named here.")
        }
        Became::Followed(Followed::TooMany) => unused(
            why,
            "It is not followed either: too many payments are on their way that no block has yet. Send the same payment with a call.",
        ),
    }
}

/// The same over HTTP, for a request whose input is not looked at. `None`: it shows no payment.
pub async fn in_headers(desk: &Desk, card: Option<&Card>, caller: Caller<'_>, why: CallError) -> Option<CallError> {
    match presented::read(caller.headers) {
        Ok(Presented::Nothing) => None,
        shown => Some(beside(desk, card, caller, shown, why).await),
    }
}

/// `why`, as it is said beside a payment.
fn unused(why: CallError, of_it: &str) -> CallError {
    let wrong = why.error.replace(NOTHING_CHARGED, "");
    let error = format!("{} Therefore the payment was not used. {of_it}", wrong.trim_end());
    CallError { error, retry: Retry::SamePayment, ..why }
}

/// A transaction, and where it would be.
struct Sent {
    network: String,
    proof: TransactionProof,
    accepted: Option<Offer>,
}

/// # Errors
/// What is shown moved nothing yet, or nobody knows where: what is said of it then.
fn sent(desk: &Desk, card: Option<&Card>, shown: &Presented) -> Result<Sent, &'static str> {
    let (network, payload, accepted) = match shown {
        Presented::Nothing => return Err(""),
        Presented::BareHash(hash) => {
            // As for a call: it names no network, so it is the first one that the agent is sold on.
            let coin = card.and_then(|card| desk.prices(card).into_iter().find(|price| price.asset.token.is_none()));
            let first = || desk.chains.first().map(|chain| chain.network().id.clone());
            let proof = TransactionProof { from: None, ..TransactionProof::by_session(*hash, Address([0; 20])) };
            (coin.map(|price| price.asset.network).or_else(first), Proof::Transaction(proof), None)
        }
        Presented::V2(payment) => {
            let network = desk.chain(&payment.accepted.network).map(|chain| chain.network().id.clone());
            (network, payment.payload.clone(), Some(payment.accepted.clone()))
        }
        Presented::V1(payment) => (v1::network(desk, payment).map(|network| network.id.clone()), payment.payload.clone(), None),
    };
    match payload {
        Proof::Transaction(proof) => match network {
            Some(network) => Ok(Sent { network, proof, accepted }),
            None => Err("It names a network that this shop does not know, so it is not followed."),
        },
        Proof::Credit(_) => Err("No credit was spent by this request."),
        Proof::Eip3009(_) | Proof::Permit2(_) => {
            Err("Nothing is settled by this request: what you signed can be sent again, with a call, while it is valid.")
        }
    }
}

/// What became of a transaction that was shown.
enum Became {
    /// Nobody has shown to be its payer, and nothing is written.
    NotShown,
    /// A stranger's, and no node knows it yet: nothing is written either (`unseen`).
    NotSeen,
    Followed(Followed),
}

async fn follow(desk: &Desk, caller: Caller<'_>, sent: &Sent) -> Result<Became, CallError> {
    let proof = native::proof_of(sent.proof.transaction);
    let Some(mut presenter) = presenter(desk, caller, sent, &proof).await? else { return Ok(Became::NotShown) };
    let (network, transaction, has_session) = (&sent.network, sent.proof.transaction, presenter.has_session);
    let shown = unseen::Shown { network, transaction, presenter: presenter.wallet, has_session, until_ms: None };
    match unseen::may_be_followed(desk, caller, &shown).await {
        Ok(true) => {}
        // Not for this visitor now, or no node answers: the request is refused in any case, and what arrives is booked.
        Ok(false) => return Ok(Became::NotSeen),
        Err(why) if is_unknown(&why) => return Ok(Became::NotSeen),
        Err(why) => return Err(why),
    }
    // Last: a row is written for it.
    if let Some(signed) = presenter.signed.take()
        && sign_in::spend(desk, &signed, network, &proof, now_ms()).await.is_err()
    {
        return Ok(Became::NotShown);
    }
    let followed = desk.books.follow_transaction(network, &proof, presenter.wallet, now_ms()).await.map_err(broken)?;
    if followed == Followed::Yes {
        desk.waiting.notify_waiters();
    }
    Ok(Became::Followed(followed))
}

/// Who shows a transaction, and by what.
struct Presenter {
    wallet: Address,
    has_session: bool,
    /// To be spent before anything is written.
    signed: Option<sign_in::Signed>,
}

/// As for a call: the signature over the payment, a signed sign-in, else the signed-in wallet, of a key or of a contract. Only the body that was
/// signed for is not compared with one: there is none, or none that counts. Whoever it is gets nothing but a look at the chain, which says whose the
/// money is.
///
/// # Errors
/// Of a signature that only a contract can have made it is not known whose it is, and nothing else shows it.
async fn presenter(desk: &Desk, caller: Caller<'_>, sent: &Sent, proof: &str) -> Result<Option<Presenter>, CallError> {
    let mut not_known = None;
    if let Some(offer) = &sent.accepted
        && let Some(chain_id) = offer.chain_id()
        && let Ok(Some(shown)) = native_proof::shown(&sent.proof, offer, caller.resource, None, chain_id, now_ms())
    {
        match signer::of(desk, &sent.network, &shown.claim, caller.allowance).await {
            Ok(Some(_)) => {
                return Ok(Some(Presenter { wallet: shown.claim.account, has_session: false, signed: None }));
            }
            Ok(None) => {}
            Err(why) => not_known = Some(why),
        }
    }
    match sign_in::read(desk, caller, now_ms()).await {
        Ok(Some(signed)) if sign_in::may_be_spent(desk, &signed, &sent.network, proof).await.is_ok() => {
            return Ok(Some(Presenter { wallet: signed.wallet, has_session: false, signed: Some(signed) }));
        }
        Err(why) if is_unknown(&why) => not_known = Some(why),
        _ => {}
    }
    let session = guard::signed_in(desk, caller.headers).await?.filter(|session| session.counts_on(&sent.network));
    match (session, not_known) {
        (Some(session), _) => Ok(Some(Presenter { wallet: session.wallet, has_session: true, signed: None })),
        (None, Some(why)) => Err(why),
        (None, None) => Ok(None),
    }
}

/// The network of a contract's signature could not be asked, or not for this visitor now.
fn is_unknown(why: &CallError) -> bool {
    matches!(why.code, Code::VerifierUnavailable | Code::RateLimited)
}

/// Its body is longer than any that is read, and was not read: the agent's own handler says so.
#[derive(Clone, Copy, Debug)]
pub struct BodyTooLarge;

/// Does it show a payment to an agent, readable or not?
pub fn is_there(path: &str, headers: &HeaderMap) -> bool {
    path.starts_with(PAID) && presented::read(headers) != Ok(Presented::Nothing)
}

/// The request without the body that nobody will read.
pub fn without_body<B: Default>(request: Request<B>) -> Request<B> {
    let (mut parts, _) = request.into_parts();
    parts.headers.remove(http::header::CONTENT_LENGTH);
    parts.extensions.insert(BodyTooLarge);
    Request::from_parts(parts, B::default())
}

/// No body beside a payment: it is no question about the price.
pub fn no_body() -> CallError {
    CallError::saying(Code::BadJson, "The request has no body: a call is a POST with the agent's input as JSON.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m3_what_is_wrong_is_said_and_never_alone_that_nothing_was_charged() {
        for code in [Code::BadJson, Code::InvalidInput, Code::TooLarge, Code::UnsupportedMediaType, Code::MethodNotAllowed] {
            let why = unused(code.into(), "It is followed.");
            assert_eq!((why.code, why.retry), (code, Retry::SamePayment));
            assert!(why.error.contains(". Therefore the payment was not used. It is followed."), "{}", why.error);
            assert!(!why.error.contains("charged"), "{}", why.error);
        }
    }
}
