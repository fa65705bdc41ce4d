//! One call, from its payment to its run: who shows it, what it echoes, the row, and the wait. It asks no chain but for a stranger's payment that
//! nobody has seen (`unseen`), and once before it says that a payment is nowhere (`absent`).

use std::time::Duration;

use http::{HeaderMap, request::Parts};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, timeout},
};
use tracing::error;

use super::{
    authorized::{self, Signed},
    decorator::Waiting,
    desk::{Desk, now_ms},
    native, native_proof,
    offers::{Terms, sha256_hex},
    payment_identifier,
    presented::Presented,
    replaced, sign_in,
    signer::{self, Allowance},
    till::{self, Judged},
    unseen,
    wire::{EIP3009, EXACT, MAY_ARRIVE, Offer, PERMIT2, PaymentPayload, Proof, TRANSACTION_PROOF, TransactionProof},
};
use crate::{
    card::Card,
    chain::Chain,
    error::{CallError, Code, Retry},
    evm::Address,
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
    if cause.is_unwritable() {
        let sentence = "The shop cannot write to its books right now. Nothing is lost: send the same again in a moment.";
        return CallError::saying(Code::VerifierUnavailable, sentence).after_ms(10_000);
    }
    Code::Internal.into()
}

/// Nobody paid yet: says the price, or that there is none now. What will certainly go wrong is told with it (`known_failure`).
async fn unpaid(desk: &Desk, card: &Card) -> Result<(Run, bool), CallError> {
    desk.sells(card).await?;
    Err(Code::PaymentRequired.into())
}

/// What is shown, once it is known to be well-formed.
enum Shown {
    /// Money that was sent already, or that stands as credit: the books hold the price from it.
    Balance(Box<Balance>),
    /// Money that its payer signed for and that moves when the work is done.
    Signed(Box<Signed>),
}

impl Shown {
    fn balance(balance: Balance) -> Self {
        Self::Balance(Box::new(balance))
    }
}

struct Balance {
    network: String,
    proof: String,
    /// A transaction that was shown, with whatever proves whose it is; `None` for credit.
    transaction: Option<TransactionProof>,
    /// The offer that was echoed, if one was.
    accepted: Option<Offer>,
    /// What it was sealed as.
    terms: Option<Terms>,
    payment_id: Option<String>,
}

/// Who calls, as far as the transport tells.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub headers: &'a HeaderMap,
    /// The `resource.url` that the offers name.
    pub resource: &'a str,
    /// What this visitor may still have asked of a chain before anything is paid.
    pub allowance: Option<&'a Allowance>,
}

impl<'a> Caller<'a> {
    /// Who calls over HTTP.
    pub fn of(parts: &'a Parts, resource: &'a str) -> Self {
        Self { headers: &parts.headers, resource, allowance: parts.extensions.get() }
    }
}

/// What is called is paid, or its price is told. The run of a payment, as far as it came while the caller waited; `true`: it was answered before.
///
/// # Errors
/// Everything that makes no run, or says that it is not known yet what became of it.
pub async fn paid(
    desk: &Desk,
    card: &'static Card,
    caller: Caller<'_>,
    shown: Presented,
    body: String,
    waiting: Waiting,
) -> Result<(Run, bool), CallError> {
    let shown = match shown {
        Presented::Nothing => match ordered(desk, card, caller).await? {
            Some(order) => order,
            None => return unpaid(desk, card).await,
        },
        shown => {
            let token = token_payment(&shown);
            match (understand(desk, card, shown), token) {
                (Ok(shown), _) => shown,
                // Only where another payment would be asked for: is this one under way already?
                (Err(why), Some((network, token, proof))) if why.code.status() == 402 => {
                    authorized::known(desk, &network, token, &proof).await?;
                    return Err(why);
                }
                (Err(why), _) => return Err(why),
            }
        }
    };
    match shown {
        Shown::Balance(shown) => from_balance(desk, card, caller, *shown, body, waiting).await,
        Shown::Signed(signed) => authorized::paid(desk, card, *signed, body, waiting, caller.allowance).await,
    }
}

/// Network, token and payload of a version 2 token payment.
fn token_payment(shown: &Presented) -> Option<(String, Option<Address>, Proof)> {
    let Presented::V2(payload) = shown else { return None };
    let is_signed = matches!(payload.payload, Proof::Eip3009(_) | Proof::Permit2(_));
    let token = payload.accepted.asset().and_then(|asset| asset.token);
    is_signed.then(|| (payload.accepted.network.clone(), token, payload.payload.clone()))
}

async fn from_balance(
    desk: &Desk,
    card: &'static Card,
    caller: Caller<'_>,
    shown: Balance,
    body: String,
    waiting: Waiting,
) -> Result<(Run, bool), CallError> {
    let until = Instant::now() + waiting.patience;
    let Payer { wallet: payer, by } = payer(desk, caller, &shown, &body).await?;
    if desk.is_halted(&shown.network) {
        return Err(Code::VerifierUnavailable.into());
    }
    if let By::SignIn(signed) = &by {
        sign_in::may_be_spent(desk, signed, &shown.network, &shown.proof).await?;
    }
    if let Some(terms) = shown.terms.as_ref().filter(|terms| terms.pay_to != desk.pay_to && shown.transaction.is_some()) {
        desk.books.note_recipient(terms.pay_to).await.map_err(broken)?;
        desk.set_recipients(desk.books.recipients().await.map_err(broken)?);
    }
    match &shown.transaction {
        Some(proof) => {
            let network = &shown.network;
            let (has_session, until_ms) = (matches!(by, By::Session), signed_until_ms(proof));
            let shown = unseen::Shown { network, transaction: proof.transaction, presenter: payer, has_session, until_ms };
            unseen::admit(desk, caller, &shown, waiting.patience).await?;
        }
        None => has_credit(desk, card, payer, &shown).await?,
    }
    if let By::SignIn(signed) = &by {
        // Last, so that whatever is refused before can be sent again: what follows is the row.
        sign_in::spend(desk, signed, &shown.network, &shown.proof, now_ms()).await?;
    }
    let terms = shown.terms.as_ref().map(Terms::for_the_books);
    let new = NewRun { payment_id: shown.payment_id, terms, ..new_run(desk, card, payer, body, shown.network, shown.proof) };
    let (run, again) = match desk.books.present(&new, now_ms()).await.map_err(broken)? {
        Row::New(run) => (run, false),
        Row::Same(run) => (run, true),
        Row::OtherUse(run) => return Err(used(&run)),
        Row::PaymentIdTaken(run) => return Err(payment_id_taken(&run)),
        Row::TooManyUnseen => {
            return Err(CallError::saying(
                Code::RateLimited,
                "Three of your payments are on their way and no block has them yet. Wait for one of them.",
            )
            .after_ms(5_000));
        }
        Row::TooManyVoid => {
            return Err(CallError::saying(
                Code::RateLimited,
                "Too many of your calls lately had too little credit, or a transaction that paid nothing. Try again later; what you paid stays.",
            )
            .after_ms(60_000));
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
    // Nothing comes of waiting where no node has been met yet: what was shown is written down, and is looked up as soon as one is.
    let is_cut_off = run.state == RunState::Waiting && desk.unmet.has(&run.network);
    let patience = if is_cut_off { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) };
    let run = wait(desk, run, patience).await?;
    unknown(desk, &run, not_found_from_ms(&run, shown.transaction.as_ref())).await?;
    Ok((run, false))
}

/// A row to be, with a fresh id.
pub(super) fn new_run(desk: &Desk, card: &Card, payer: Address, body: String, network: String, proof: String) -> NewRun {
    let id = uuid::Uuid::now_v7().to_string();
    NewRun {
        agent: card.slug.to_owned(),
        version: card.version.to_owned(),
        payer,
        input_sha256: sha256_hex(body.as_bytes()),
        input: body,
        network,
        proof,
        payment_id: None,
        terms: None,
        key_sha256: sha256_hex(desk.seal.run_key(&id).as_bytes()),
        id,
    }
}

pub(super) fn used(run: &Run) -> CallError {
    CallError::saying(
        Code::PaymentAlreadyUsed,
        "This payment was already used for another call of yours. Pay again, or pay from your credit.",
    )
    .with_run(&run.id)
}

pub(super) fn payment_id_taken(run: &Run) -> CallError {
    CallError::saying(
        Code::PaymentAlreadyUsed,
        "You used this payment id for another payment. Nothing was charged; its run is named here.",
    )
    .with_run(&run.id)
}

fn understand(desk: &Desk, card: &Card, shown: Presented) -> Result<Shown, CallError> {
    match shown {
        Presented::Nothing => Err(Code::PaymentRequired.into()),
        Presented::V1(payment) => authorized::of_v1(desk, card, &payment).map(|signed| Shown::Signed(Box::new(signed))),
        // The workflow's own header names no network: it is the first one that the agent is sold on.
        Presented::BareHash(hash) => {
            let coin = desk.prices(card).into_iter().find(|price| price.asset.token.is_none());
            let network = coin.ok_or_else(|| CallError::from(Code::AgentUnavailable))?.asset.network;
            let transaction = TransactionProof { from: None, ..TransactionProof::by_session(hash, Address([0; 20])) };
            Ok(Shown::balance(Balance {
                network,
                proof: native::proof_of(hash),
                transaction: Some(transaction),
                accepted: None,
                terms: None,
                payment_id: None,
            }))
        }
        Presented::V2(payload) => echoed(desk, card, *payload),
    }
}

/// The accepted offer must be ours, for this agent, and unchanged; then its terms hold.
fn echoed(desk: &Desk, card: &Card, payload: PaymentPayload) -> Result<Shown, CallError> {
    let payment_id = payment_identifier::read(&payload)?;
    let offer = payload.accepted;
    let refused = |reason: &str| {
        let mut why = CallError::from(Code::PaymentInvalid).with_reason(reason);
        if let Proof::Transaction(proof) = &payload.payload {
            // It may have been paid: never ask for another payment before that one was looked at.
            why.error = "The payment does not fit an offer of this agent. Send its transaction hash alone, and it counts at today's price.".into();
            why.retry = Retry::SamePayment;
            why.transaction = Some(proof.transaction);
        }
        Err(why)
    };
    if offer.scheme != EXACT {
        return refused("unsupported_scheme");
    }
    let Some(chain) = desk.chain(&offer.network) else { return refused("invalid_network") };
    let terms = match offer.extra.offer.as_deref().map(|token| desk.seal.open(token)) {
        Some(Ok(terms)) => terms,
        _ => return refused("invalid_payment_requirements"),
    };
    let unchanged = terms.agent == card.slug
        && terms.amount == offer.amount
        && terms.pay_to == offer.pay_to
        && Some(&terms.asset) == offer.asset().as_ref()
        && Some(&terms.method) == offer.extra.asset_transfer_method.as_ref()
        // Our seal says that it was ours, so what was sent there counts. What is only signed is signed anew.
        && (terms.pay_to == desk.pay_to || matches!(payload.payload, Proof::Transaction(_) | Proof::Credit(_)));
    if !unchanged {
        return refused("invalid_payment_requirements");
    }
    let network = offer.network.clone();
    match (payload.payload, terms.method.as_str()) {
        (Proof::Transaction(proof), TRANSACTION_PROOF) => Ok(Shown::balance(Balance {
            network,
            proof: native::proof_of(proof.transaction),
            transaction: Some(proof),
            accepted: Some(offer),
            terms: Some(terms),
            payment_id,
        })),
        (Proof::Credit(proof), _) => {
            let id: uuid::Uuid =
                proof.credit.parse().map_err(|_| CallError::from(Code::BadPaymentHeader).with_details("credit is a UUID"))?;
            let proof = format!("credit/{id}");
            Ok(Shown::balance(Balance {
                network,
                proof,
                transaction: None,
                accepted: Some(offer),
                terms: Some(terms),
                payment_id,
            }))
        }
        (proof @ Proof::Eip3009(_), EIP3009) | (proof @ Proof::Permit2(_), PERMIT2) => {
            authorized::of_v2(chain.network(), proof, terms, payment_id).map(|signed| Shown::Signed(Box::new(signed)))
        }
        _ => Err(CallError::from(Code::BadPaymentHeader).with_details("this payload does not pay the accepted offer")),
    }
}

/// Who shows a payment, and by what.
struct Payer {
    wallet: Address,
    by: By,
}

enum By {
    /// Their own signature over the payment.
    Signature,
    SignIn(sign_in::Signed),
    Session,
}

/// Who shows it: by their own signature over the payment, by a signed sign-in, else the signed-in wallet. Whether the money is theirs, the chain will
/// say. At most one indexed read, no row, and no RPC unless only a contract can have signed (`signer`).
async fn payer(desk: &Desk, caller: Caller<'_>, shown: &Balance, body: &str) -> Result<Payer, CallError> {
    if let (Some(proof), Some(offer)) = (&shown.transaction, &shown.accepted)
        && let Some(chain_id) = offer.chain_id()
        && let Some(signed) = native_proof::shown(proof, offer, caller.resource, Some(body.as_bytes()), chain_id, now_ms())?
    {
        let signer = signer::of(desk, &shown.network, &signed.claim, caller.allowance).await;
        return match signer.map_err(|why| why.with_transaction(proof.transaction))? {
            Some(_) => Ok(Payer { wallet: signed.claim.account, by: By::Signature }),
            None => Err(signed.otherwise),
        };
    }
    if let Some(signed) = sign_in::read(desk, caller, now_ms()).await? {
        return Ok(Payer { wallet: signed.wallet, by: By::SignIn(signed) });
    }
    if let Some(session) = guard::signed_in(desk, caller.headers).await? {
        return guard::on(desk, &session, &shown.network).map(|()| Payer { wallet: session.wallet, by: By::Session });
    }
    Err(match &shown.transaction {
        Some(proof) => native_proof::nobody(proof.transaction),
        None => Code::NotSignedIn.into(),
    })
}

/// A client's own UUID costs nothing to make, nor does a wallet: where there is no credit at all, the answer is that of a run that found none
/// (`till::judge`), and no row is written.
///
/// # Errors
/// There is none, and no run was shown with this payment before.
async fn has_credit(desk: &Desk, card: &Card, payer: Address, shown: &Balance) -> Result<(), CallError> {
    let Some(terms) = &shown.terms else { return Ok(()) };
    // In this order: where a twin of this request has just held the price, its run is there.
    let credit = desk.books.balance(payer, &terms.asset).await.map_err(broken)?;
    if !credit.is_zero() || desk.books.known(&shown.network, &shown.proof, payer, now_ms()).await.map_err(broken)?.is_shown {
        return Ok(());
    }
    let Some(today) = desk.price(card, &terms.asset) else { return Err(Code::AgentUnavailable.into()) };
    if terms.expires_ms < now_ms() {
        return Err(Code::OfferExpired.into());
    }
    Err(till::too_little(&today.with(terms.price), credit))
}

/// A sign-in without a payment is the order to pay this one call from credit. `None`: there is no sign-in.
///
/// # Errors
/// The sign-in does not hold, or the credit does not cover the price.
async fn ordered(desk: &Desk, card: &Card, caller: Caller<'_>) -> Result<Option<Shown>, CallError> {
    let Some(signed) = sign_in::read(desk, caller, now_ms()).await? else { return Ok(None) };
    let terms = sign_in::order(desk, card, &signed).await?;
    let (network, proof) = (signed.network.clone(), signed.proof());
    Ok(Some(Shown::balance(Balance { network, proof, transaction: None, accepted: None, terms: Some(terms), payment_id: None })))
}

/// Another attempt of a run that failed: its price was released, and is held again.
pub(super) async fn hold_again(desk: &Desk, run: &Run) -> Result<Run, CallError> {
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
            let why =
                CallError::saying(Code::AmountTooLow, "Your credit was spent on another run since. Pay for this one again.");
            Err(match desk.money(&asset, balance) {
                Some(credit) => why.with_credit(credit),
                None => why,
            })
        }
        HeldOrNot::FailingTooOften(wait_ms) => Err(CallError::from(Code::FailingTooOften).after_ms(wait_ms)),
    }
}

/// A waiting run whose money, if any, is in the books already needs no chain.
async fn judged(desk: &Desk, run: &Run) -> Result<Run, CallError> {
    match till::judge(desk, run).await.map_err(broken)? {
        Judged::HeldOff => Err(CallError::from(Code::FailingTooOften).after_ms(60_000)),
        Judged::Told => desk.books.run(&run.id).await.map_err(broken)?.ok_or_else(|| Code::Internal.into()),
    }
}

/// Waits until the run has ended, or for `patience`.
pub(super) async fn wait(desk: &Desk, run: Run, patience: Duration) -> Result<Run, CallError> {
    let (until, mut changes) = (Instant::now() + patience, desk.changes());
    if run.state.ended() {
        return Ok(run);
    }
    loop {
        let state = desk.books.state_of(&run.id).await.map_err(broken)?.ok_or_else(|| CallError::from(Code::Internal))?;
        let left = until.saturating_duration_since(Instant::now());
        if state.ended() || left.is_zero() {
            return desk.books.run(&run.id).await.map_err(broken)?.ok_or_else(|| CallError::from(Code::Internal));
        }
        let ours = async {
            loop {
                match changes.recv().await {
                    Ok(id) if id != run.id => {}
                    // It changed, or changes were missed: look.
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // A time-out here is the look at what other instances did.
        let _ = timeout(left.min(LOOK_AGAIN), ours).await;
    }
}

/// From when on a hash that no node knows is said to be not found, Unix milliseconds: two minutes after a bare hash was first shown, or when the
/// time is over that its payer signed for.
fn not_found_from_ms(run: &Run, shown: Option<&TransactionProof>) -> i64 {
    shown.and_then(signed_until_ms).unwrap_or_else(|| run.created_ms.saturating_add(NOT_FOUND_MS))
}

/// When the time is over that the payer signed for, Unix milliseconds. It was found to be at most ten minutes ahead, so it is a small number.
fn signed_until_ms(shown: &TransactionProof) -> Option<i64> {
    let seconds: i64 = shown.valid_before.filter(|_| shown.signature.is_some())?.to_string().parse().ok()?;
    Some(seconds.saturating_mul(1000))
}

/// A payment that nobody has seen is pending (202), not found for now (410), or cannot be looked for (503). Never a demand for money.
async fn unknown(desk: &Desk, run: &Run, not_found_from_ms: i64) -> Result<(), CallError> {
    let unseen = run.state == RunState::Waiting && run.deposit_block.is_none() && run.included_block.is_none();
    let Some(transaction) = native::transaction_of(&run.proof).filter(|_| unseen) else { return Ok(()) };
    let nobody_knows =
        || CallError::from(Code::VerifierUnavailable).with_transaction(transaction).with_run(&run.id).after_ms(2_000);
    let tells = |chain: &&Chain| chain.healthy() && !chain.is_stale();
    let Some(chain) = desk.chain(&run.network).filter(tells).filter(|_| desk.is_believed(&run.network)) else {
        return Err(nobody_knows());
    };
    if now_ms() > not_found_from_ms {
        match desk.absent.is(chain, transaction).await {
            Some(true) => {}
            // The follower is about to book it.
            Some(false) => return Ok(()),
            None => return Err(nobody_knows()),
        }
        let lost = CallError::from(Code::PaymentNotFound).with_transaction(transaction).with_run(&run.id).after_ms(10_000);
        return Err(match replaced::may_arrive(desk, run).await.map_err(broken)? {
            true => lost.with_reason(MAY_ARRIVE),
            false => lost,
        });
    }
    Ok(())
}
