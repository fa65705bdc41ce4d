//! What a call comes to, before it is worded for HTTP (`answer`) or for MCP (`server::mcp`): both say the same of the same call.

use serde_json::{Map, Value};

use super::{
    bazaar::BAZAAR,
    call::{self, Caller},
    decorator::Waiting,
    desk::{Desk, now_ms},
    known_failure,
    offers::sha256_hex,
    payment_identifier::{self, PAYMENT_IDENTIFIER},
    presented::Presented,
    sign_in::{self, SIGN_IN_WITH_X},
    till,
    wire::{PaymentRequired, Resource, Settlement},
};
use crate::{
    card::Card,
    error::{CallError, Code, Retry, Stage},
    ledger::{AuthorizationState, Run},
    run::RunState,
};

/// The same request again after so long, while a payment is under way.
const AGAIN_MS: u64 = 1_000;
/// The same where a node, or a person, has to tell something first.
const LATER_MS: u64 = 5_000;

/// What is said of a call, and what its payment did.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub said: Said,
    /// Of the payment, whatever the agent made of it. `None`: none took place, or it is still under way.
    pub receipt: Option<Settlement>,
    /// Where the run can be read with its key and no session, below the shop's root.
    pub run_path: Option<String>,
}

#[derive(Debug, PartialEq)]
pub enum Said {
    /// The agent's answer, JSON, byte for byte as it was stored.
    Report { json: String, replay: bool },
    /// Something else. It asks for no money: what was paid may count, or no payment can help.
    Told(CallError),
    /// Only another payment can help: fresh offers go with it ([`demand`]).
    Demanded {
        why: CallError,
        /// CAIP-2: the networks on which it would not help either (`known_failure`).
        without: Vec<String>,
    },
}

/// One call, whatever carried it. The input was validated.
pub async fn of_call(
    desk: &Desk,
    card: &'static Card,
    caller: Caller<'_>,
    shown: Result<Presented, CallError>,
    body: String,
    waiting: Waiting,
) -> Outcome {
    let input_sha256 = sha256_hex(body.as_bytes());
    let made = match shown {
        Ok(shown) => call::paid(desk, card, caller, shown, body, waiting).await,
        Err(why) => Err(why),
    };
    let outcome = match made {
        Ok((run, replay)) => Outcome::of_run(desk, &run, replay),
        Err(why) => Outcome::refused(why),
    };
    known_failure::before_paying(desk, card, &input_sha256, outcome).await
}

impl Outcome {
    /// No run, and so no payment that we know of.
    pub fn refused(why: CallError) -> Self {
        Self { said: Said::refused(why), receipt: None, run_path: None }
    }

    /// What the row says, whether it has just become so or was so before.
    pub fn of_run(desk: &Desk, run: &Run, replay: bool) -> Self {
        // Behind the `#`, which no client sends: a query would stand in every proxy's log (docs/protocol.md, "A run's key").
        let run_path = Some(format!("/api/runs/{}#key={}", run.id, desk.seal.run_key(&run.id)));
        match run.state {
            RunState::Waiting | RunState::Held | RunState::Running => {
                let stage = till::stage_of(run);
                let (code, again_ms) = match stage {
                    Stage::Running => (Code::Running, AGAIN_MS),
                    _ if till::is_payer_unknown(run) => (Code::PayerUnknown, LATER_MS),
                    _ => (Code::PaymentPending, AGAIN_MS),
                };
                let mut pending = CallError::from(code).at_stage(stage).with_run(&run.id).after_ms(again_ms);
                pending.transaction = run.transaction;
                Self { said: Said::Told(pending), receipt: None, run_path }
            }
            RunState::Done => {
                let said = match &run.output {
                    Some(output) => Said::Report { json: output.clone(), replay },
                    None => Said::Told(CallError::from(Code::ContentDeleted).with_run(&run.id)),
                };
                Self { said, receipt: Some(settled(run)), run_path }
            }
            // Signed for and not settled: no payment took place, so there is no receipt of one.
            RunState::Failed if is_signed_only(run) => {
                Self { said: Said::Told(not_charged(desk, run)), receipt: None, run_path: None }
            }
            RunState::Failed => Self { said: Said::Told(not_charged(desk, run)), receipt: Some(settled(run)), run_path },
            RunState::Void => {
                let why = arrived_since(desk, run, failure(run));
                let receipt = (why.code == Code::SettlementFailed).then(|| not_settled(run, &why));
                Self { said: Said::refused(why), receipt, run_path: None }
            }
        }
    }
}

impl Said {
    /// With fresh offers, if only another payment can help. Where one was made already and may count, there are none: a client that sees
    /// offers pays.
    pub fn refused(why: CallError) -> Self {
        let may_pay = why.code.status() == 402 && why.retry != Retry::SamePayment;
        if may_pay { Self::Demanded { why, without: Vec::new() } } else { Self::Told(why) }
    }
}

/// The offers of the moment, and why they are made. `bazaar`: how `resource` is called, for those that list it (`x402::bazaar`). `without`: the
/// networks that nothing is offered on.
///
/// # Errors
/// [`Code::AgentUnavailable`]: it cannot be paid for now.
pub fn demand(
    desk: &Desk,
    card: &Card,
    resource: Resource,
    bazaar: Option<&Value>,
    why: &CallError,
    without: &[String],
) -> Result<PaymentRequired, CallError> {
    desk.is_not_known_to_be_away(card)?;
    let mut accepts = desk.offers(card, now_ms(), why.credit.as_ref());
    accepts.retain(|offer| !without.contains(&offer.network));
    if accepts.is_empty() {
        return Err(CallError::saying(Code::AgentUnavailable, "Payments are closed for now. Nothing was charged."));
    }
    let extensions = extensions(desk, &resource.url, bazaar);
    Ok(PaymentRequired {
        x402_version: 2,
        error: Some(why.reason.clone().unwrap_or_else(|| why.error.clone())),
        resource,
        accepts,
        extensions,
    })
}

/// What a client may use beside a payment, each under its name.
fn extensions(desk: &Desk, resource: &str, bazaar: Option<&Value>) -> Map<String, Value> {
    let bazaar = bazaar.map(|bazaar| (BAZAAR.to_owned(), bazaar.clone()));
    let ours = [
        (PAYMENT_IDENTIFIER.to_owned(), payment_identifier::extension()),
        (SIGN_IN_WITH_X.to_owned(), sign_in::extension(desk, resource, now_ms())),
    ];
    bazaar.into_iter().chain(ours).collect()
}

fn failure(run: &Run) -> CallError {
    let mut why = run.error.clone().unwrap_or_else(|| Code::AgentFailed.into()).with_run(&run.id);
    why.transaction = why.transaction.or(run.transaction);
    why
}

/// What could not be settled may have been sent since, by somebody else: then it was charged after all, and is credit.
fn arrived_since(desk: &Desk, run: &Run, why: CallError) -> CallError {
    let arrived = run.authorization.as_ref().filter(|_| why.code == Code::SettlementFailed && run.deposit_block.is_some());
    match arrived.and_then(|signed| desk.money(&signed.asset, signed.amount)) {
        Some(money) => {
            let error = format!("The payment arrived when the run had ended. {money} is your credit: run it again from there.");
            CallError { error, ..why }.with_credit(money)
        }
        None => why,
    }
}

/// Its price was signed for, and nobody has sent it.
fn is_signed_only(run: &Run) -> bool {
    run.authorization.as_ref().is_some_and(|paid| paid.state != AuthorizationState::Settled)
}

/// A failed run's reason, and what became of its price.
fn not_charged(desk: &Desk, run: &Run) -> CallError {
    let why = failure(run);
    if is_signed_only(run) {
        return CallError { error: format!("{} Your authorization was not used.", why.error), ..why };
    }
    match run.price.as_ref().and_then(|(asset, amount)| desk.money(asset, *amount)) {
        Some(price) => CallError { error: format!("{} {price} went to your credit.", why.error), ..why },
        None => why,
    }
}

/// The payment itself succeeded, whatever the agent made of it: the money is spent or credit, and the receipt says whose.
fn settled(run: &Run) -> Settlement {
    Settlement {
        success: true,
        transaction: run.transaction.map(|hash| hash.to_string()).unwrap_or_default(),
        network: run.network.clone(),
        payer: Some(run.payer),
        amount: run.price.as_ref().map(|(_, amount)| *amount),
        error_reason: None,
    }
}

/// A settlement was tried and failed: the receipt says so, in x402's words.
fn not_settled(run: &Run, why: &CallError) -> Settlement {
    Settlement {
        success: false,
        transaction: String::new(),
        network: run.network.clone(),
        payer: Some(run.payer),
        amount: None,
        error_reason: Some(why.reason.clone().unwrap_or_else(|| why.code.to_string())),
    }
}
