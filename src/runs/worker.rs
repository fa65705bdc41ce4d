//! Leases a held run, does the work, stores the answer. It outlives the request, the tab and, by the lease, the process.
//!
//! The work happens at least once; its result and its charge happen exactly once: both are fenced by the lease's token.

use std::{sync::Arc, time::Duration};

use leptos::{
    prelude::{Owner, provide_context},
    reactive::computed::ScopedFuture,
};
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

use super::{Engine, hands::Hands, progress, tools::Paid};
use crate::{
    error::{CallError, Code, Retry},
    ledger::{BooksError, Leased, Run, runs::ATTEMPTS_MAX},
    run::RunState,
    x402::{
        authorization::Refused,
        desk::{Desk, now_ms},
        settling::{self, Cover, Settlement},
    },
};

/// Another worker takes the run over when its lease was not renewed for so long: what a crash costs the payer in waiting.
const LEASE_MS: i64 = 10_000;
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// Runs that other instances left, and whose lease ended, are looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Works on `count` runs at once ([`Hands`]), until `stop`; then what is under way is waited for.
pub fn start(desk: &Desk, count: usize, stop: &CancellationToken) -> JoinHandle<()> {
    let (desk, stop) = (desk.clone(), stop.clone());
    tokio::spawn(async move {
        let hands = Arc::new(Hands::new(count));
        while !stop.is_cancelled() {
            match hands.lease(&desk.books, now_ms(), LEASE_MS).await {
                Ok(Some(leased)) => {
                    begin(&desk, &hands, leased);
                    continue;
                }
                Ok(None) => {}
                Err(cause) => {
                    if desk.seldom.is_time("leasing") {
                        error!(%cause, "no run can be leased: the books do not answer");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = desk.held.notified() => {}
                () = hands.freed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        hands.all_free().await;
    })
}

fn begin(desk: &Desk, hands: &Arc<Hands>, leased: Leased) {
    let desk = desk.clone();
    let hand = match &leased {
        Leased::Work { run, .. } | Leased::GaveOut { run, .. } => Some(hands.take(run.payer)),
        Leased::Settle { .. } => None,
    };
    tokio::spawn(async move {
        if let Some((run, token)) = work(&desk, leased).await {
            // The chain is waited for outside: while a network is away, its settlements must not hold up everybody's work.
            drop(hand);
            settle(&desk, &run, &token).await;
        }
    });
}

/// What is done with a run that is ours until its lease ends. `Some`: its answer is stored, and its payment is yet to be settled.
async fn work(desk: &Desk, leased: Leased) -> Option<(Run, String)> {
    let (run, token, outcome) = match leased {
        // By restarts, as far as anybody knows: that says nothing about this input, so the same payment may try it again.
        Leased::GaveOut { run, token } => {
            let why = CallError::agent_failed(format!("it was begun {ATTEMPTS_MAX} times and never ended."));
            (run, token, Outcome::gave_up(why))
        }
        Leased::Work { run, token } => {
            let span = info_span!("run", run.id = %run.id, agent = %run.agent, payer = %run.payer, network = %run.network, proof = %run.proof);
            let outcome = attempt(desk, &run, &token).instrument(span).await;
            (run, token, outcome)
        }
        Leased::Settle { run, token } => return Some((run, token)),
    };
    let signed = run.authorization.is_some();
    let ended = match &outcome {
        // Its payer signed for it: the answer is withheld until the payment is settled.
        Outcome::Done(output, engine) if signed => store(|| desk.books.answered(&run.id, &token, output, engine, now_ms())).await,
        Outcome::Done(output, engine) => store(|| desk.books.capture(&run.id, &token, output, engine, now_ms())).await,
        Outcome::Failed(why) => store(|| desk.books.release(&run.id, &token, why, now_ms())).await,
        Outcome::NotCovered(why) => store(|| desk.books.settlement_failed(&run.id, &token, why, now_ms())).await,
        Outcome::GaveUp(why) => store(|| desk.books.give_up_run(&run.id, &token, why, now_ms())).await,
        Outcome::Broke => desk.books.broke(&run.id, &token, now_ms()).await,
        Outcome::Lost => return None,
    };
    match (ended, &outcome) {
        (Ok(true), Outcome::Done(..)) if signed => return to_be_settled(desk, &run, token).await,
        (Ok(true), Outcome::Done(..)) => info!(run.id = %run.id, agent = %run.agent, "run {} done", run.id),
        (Ok(true), Outcome::Failed(why) | Outcome::GaveUp(why)) => {
            info!(run.id = %run.id, agent = %run.agent, why = %why.error, "run {} failed, and was not charged", run.id)
        }
        (Ok(true), Outcome::NotCovered(why)) => {
            warn!(run.id = %run.id, agent = %run.agent, reason = why.reason, "run {} was not begun: its payer cannot pay it any more", run.id);
        }
        (Ok(true), _) => warn!(run.id = %run.id, agent = %run.agent, "run {} broke; it is tried again", run.id),
        (Ok(false), _) => warn!(run.id = %run.id, "run {} was taken over by another worker", run.id),
        // The lease ends by itself, and the work is done again: the charge is still only one.
        (Err(cause), _) => error!(run.id = %run.id, %cause, "what became of run {} could not be stored", run.id),
    }
    desk.ring(&run.id);
    desk.held.notify_one();
    None
}

/// The answer is stored. Where its payment is here already (settled first, or sent by somebody else), the run is done.
async fn to_be_settled(desk: &Desk, run: &Run, token: String) -> Option<(Run, String)> {
    match desk.books.run(&run.id).await {
        Ok(Some(run)) if run.state == RunState::Running => return Some((run, token)),
        Ok(_) => {
            info!(run.id = %run.id, agent = %run.agent, "run {} done", run.id);
            desk.ring(&run.id);
        }
        // The lease ends by itself; whoever takes the run then finds the answer, and settles.
        Err(cause) => error!(run.id = %run.id, %cause, "run {} cannot be read", run.id),
    }
    None
}

/// For one attempt to settle; then the lease is let go, and taken again after a pause (`x402::looks`).
const SETTLE_PATIENCE: Duration = Duration::from_secs(15);

async fn settle(desk: &Desk, run: &Run, token: &str) {
    let settlement = tokio::select! {
        settlement = settling::settle(desk, run, SETTLE_PATIENCE) => settlement,
        () = lost(desk, &run.id, token) => return,
    };
    let failed = |why: &Refused| CallError::from(Code::SettlementFailed).with_reason(&why.reason);
    let stored = match &settlement {
        Settlement::Settled { deposit, of } => store(|| desk.books.settle_one_of(&run.id, deposit, *of, now_ms())).await,
        Settlement::Failed(why) => {
            let why = failed(why);
            store(|| desk.books.settlement_failed(&run.id, token, &why, now_ms())).await
        }
        Settlement::Over(why) => {
            let why = failed(why);
            store(|| desk.books.settlement_over(&run.id, token, &why, now_ms())).await
        }
        Settlement::Unknown => Ok(false),
    };
    match (stored, settlement) {
        (Ok(false), settlement) => look_again(desk, run, token, &settlement).await,
        (Ok(true), settlement) => {
            desk.looks.is_over(&run.id);
            match settlement {
                Settlement::Settled { deposit, .. } => {
                    info!(run.id = %run.id, agent = %run.agent, transaction = %deposit.transaction, "run {} done, settled by {}", run.id, deposit.transaction);
                }
                Settlement::Failed(why) | Settlement::Over(why) => {
                    warn!(run.id = %run.id, agent = %run.agent, reason = %why.reason, "run {} could not be settled; its answer is withheld", run.id);
                }
                Settlement::Unknown => {}
            }
        }
        (Err(cause), _) => {
            error!(run.id = %run.id, %cause, "what became of the settlement of run {} could not be stored", run.id)
        }
    }
    desk.ring(&run.id);
    desk.held.notify_one();
}

/// Nothing was stored. Either all is said already, by somebody else; or nobody knows yet, and it is looked at again: an event that books nothing
/// while its authorization is open ends nothing.
async fn look_again(desk: &Desk, run: &Run, token: &str, settlement: &Settlement) {
    match desk.books.run(&run.id).await {
        Ok(Some(now)) if now.state == RunState::Running && now.is_to_be_settled() => {}
        Ok(_) => return desk.looks.is_over(&run.id),
        Err(cause) => error!(run.id = %run.id, %cause, "run {} cannot be read", run.id),
    }
    let pause_ms = desk.looks.in_vain(&run.id, now_ms());
    // What nobody knows is told where it was asked, once a minute and network.
    match settlement {
        Settlement::Unknown => debug!(run.id = %run.id, pause_ms, "run {} is not settled yet; it is looked at again", run.id),
        _ => {
            warn!(run.id = %run.id, ?settlement, pause_ms, "run {} is not settled yet; it is looked at again in {pause_ms} ms", run.id)
        }
    }
    if let Err(cause) = desk.books.renew_lease(&run.id, token, now_ms() + pause_ms).await {
        // It ends by itself.
        warn!(run.id = %run.id, %cause, "the lease could not be renewed");
    }
}

/// The answer exists; a short trouble of the database must not throw it away.
async fn store<F, Fut>(write: F) -> Result<bool, BooksError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<bool, BooksError>>,
{
    use backon::{ExponentialBuilder, Retryable};
    write.retry(ExponentialBuilder::default().with_jitter().with_max_times(4)).await
}

enum Outcome {
    /// The answer's exact bytes, and what made it.
    Done(String, String),
    Failed(Box<CallError>),
    /// It was not begun: what its payer signed cannot be settled any more.
    NotCovered(Box<CallError>),
    /// It failed, and not by the agent's own word: nothing is said of the input.
    GaveUp(Box<CallError>),
    /// It panicked, and may be tried again.
    Broke,
    /// The lease: another worker has the run.
    Lost,
}

impl Outcome {
    fn failed(why: CallError) -> Self {
        Self::Failed(Box::new(why))
    }

    fn gave_up(why: CallError) -> Self {
        Self::GaveUp(Box::new(why))
    }

    fn not_covered(why: &Refused) -> Self {
        Self::NotCovered(Box::new(CallError::from(Code::SettlementFailed).with_reason(&why.reason)))
    }
}

async fn attempt(desk: &Desk, run: &Run, token: &str) -> Outcome {
    let (Some(agent), Some(chain)) = (desk.agent(&run.agent), desk.chain(&run.network)) else {
        return Outcome::failed(CallError::saying(
            Code::AgentFailed,
            "This agent is no longer on sale here. You were not charged.",
        ));
    };
    let Some(input) = &run.input else {
        return Outcome::failed(CallError::saying(Code::AgentFailed, "The input of this run was deleted. You were not charged."));
    };
    if run.nothing_is_held() {
        match settling::cover(desk, run).await {
            Cover::Yes => {}
            Cover::No(why) => return Outcome::not_covered(&why),
            Cover::Untied => {
                if let Some(instead) = booked_first(desk, run, token).await {
                    return instead;
                }
            }
        }
    }
    info!("run {} started", run.id);
    let reports = progress::begin(desk, &run.id, token).await;
    let (engine, limit) = (Engine::default(), agent.card.time_limit);
    let paid = Paid {
        agent: agent.card.slug,
        run: run.id.clone(),
        chain: chain.clone(),
        reports: reports.clone(),
        model: desk.model.clone(),
        engine: engine.clone(),
        until: Instant::now() + limit,
    };
    // A task of its own: a panic is its failure, not ours. Its owner is where the work's context lives.
    let owner = Owner::new();
    let work = owner.with(|| {
        provide_context(paid);
        // Free functions of the agents, called from the work, find the shop.
        provide_context(desk.clone());
        ScopedFuture::new((agent.call)(input))
    });
    let mut task = tokio::spawn(timeout(limit, work).in_current_span());
    let outcome = tokio::select! {
        ended = &mut task => judge(run, limit, &engine, ended),
        () = lost(desk, &run.id, token) => {
            task.abort();
            Outcome::Lost
        }
        never = progress::write_down(desk, &run.id, token, &reports) => match never {},
    };
    drop(owner);
    if !matches!(outcome, Outcome::Lost) {
        progress::write_last(desk, &run.id, token, &reports, matches!(outcome, Outcome::Done(..))).await;
    }
    outcome
}

/// Its payer may show one transfer for several of their calls: which of them it pays, the books say. `None`: this one, and its price is held now.
async fn booked_first(desk: &Desk, run: &Run, token: &str) -> Option<Outcome> {
    let settlement = tokio::select! {
        settlement = settling::settle(desk, run, SETTLE_PATIENCE) => settlement,
        () = lost(desk, &run.id, token) => return Some(Outcome::Lost),
    };
    match settlement {
        Settlement::Settled { deposit, of } => {
            if let Err(cause) = store(|| desk.books.settle_one_of(&run.id, &deposit, of, now_ms())).await {
                error!(run.id = %run.id, %cause, "the payment of run {} could not be booked", run.id);
            }
        }
        Settlement::Failed(why) | Settlement::Over(why) => return Some(Outcome::not_covered(&why)),
        Settlement::Unknown => {}
    }
    // Not known yet: the lease ends, and it is looked at again.
    match desk.books.run(&run.id).await {
        Ok(Some(now)) if !now.nothing_is_held() => None,
        _ => Some(Outcome::Lost),
    }
}

type Ended = Result<Result<Result<String, CallError>, tokio::time::error::Elapsed>, JoinError>;

fn judge(run: &Run, limit: Duration, engine: &Engine, ended: Ended) -> Outcome {
    match ended {
        Ok(Ok(Ok(output))) => Outcome::Done(output, engine.words()),
        Ok(Ok(Err(why))) => Outcome::failed(told(run, why)),
        Ok(Err(_)) => Outcome::failed(told(run, CallError::agent_failed(format!("it took longer than {} s.", limit.as_secs())))),
        Err(_) if run.broke + 1 < ATTEMPTS_MAX => Outcome::Broke,
        // The third time, each by the agent's own fault: this payment does not begin it again. Whether it was the input, nobody has said.
        Err(_) => Outcome::gave_up(told(
            run,
            CallError { retry: Retry::No, ..CallError::agent_failed("the agent broke on this input.") },
        )),
    }
}

/// Whatever the agent failed with, its payer hears `agent_failed`, and what became of the money. Only what it says of its input can be final: what
/// is away today, or is our own fault, says `retry: no` too, to those who have not paid.
fn told(run: &Run, why: CallError) -> CallError {
    let mut why = match why.code {
        Code::AgentFailed => why,
        Code::InvalidInput | Code::BadJson | Code::TooLarge => {
            CallError { retry: why.retry, details: why.details.clone(), ..CallError::agent_failed(&why.error) }
        }
        _ => CallError { details: why.details.clone(), ..CallError::agent_failed(&why.error) },
    };
    why.transaction = run.transaction;
    why
}

/// Renews the lease while the work goes on; ends when it was lost.
async fn lost(desk: &Desk, run: &str, token: &str) {
    let mut beat = interval(RENEW_EVERY);
    loop {
        beat.tick().await;
        match desk.books.renew_lease(run, token, now_ms() + LEASE_MS).await {
            Ok(true) => {}
            Ok(false) => return,
            // Unknown is not lost: what is stored at the end is fenced by the token.
            Err(cause) => warn!(run.id = run, %cause, "the lease could not be renewed"),
        }
    }
}
