//! Settling what a payer signed: sends it, and looks until a final block says what became of it. The chain alone has the last word.
//!
//! Safe to begin again at any point, by any instance: an authorization's nonce lets it through once, and its deposit is unique in the books.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::FutureExt;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::{
    authorization::{Authorization, Method, Refused},
    desk::{Desk, now_ms},
    facilitator::{At, Facilitator, NotRecorded, Sending, SettleError, look},
    wire::Proof,
};
use crate::{
    chain::{Seen, Unavailable},
    evm::TxHash,
    ledger::{Deposit, How, Run},
};

/// A transaction of ours that no block has after so long may be lost, or underpriced: another one is sent. Only one of them can move money.
const SEND_AGAIN_MS: i64 = 15_000;

/// For so long after its time it is tried to find out what an authorization was used for.
const UNCLEAR_MS: i64 = 10 * 60 * 1000;

/// What became of a settlement.
#[derive(Debug)]
pub enum Settlement {
    /// A final block holds the transfer.
    Settled(Deposit),
    /// It did not take place and will not: in x402's words.
    Failed(Refused),
    /// Nobody knows yet: to be continued.
    Unknown,
}

/// Has the run's authorization carried out, for `patience` at most.
pub async fn settle(desk: &Desk, run: &Run, patience: Duration) -> Settlement {
    let Some((facilitator, authorization)) = of_run(desk, run) else {
        warn!(run.id = %run.id, network = %run.network, "run {} is paid by a token that is not taken any more: put it back into the settings", run.id);
        return Settlement::Unknown;
    };
    if desk.is_halted(&run.network) {
        // What this chain says is not believed until an operator has looked.
        return Settlement::Unknown;
    }
    let until = Instant::now() + patience;
    let mut attempt = Attempt::new(desk, run, facilitator, &authorization);
    loop {
        match attempt.step().await {
            Ok(Some(settlement)) => return settlement,
            Ok(None) => {}
            Err(cause) => {
                warn!(run.id = %run.id, network = %run.network, %cause, "the settlement of run {} is not known yet", run.id)
            }
        }
        if Instant::now() >= until {
            return Settlement::Unknown;
        }
        sleep(facilitator.chain().settings().poll).await;
    }
}

/// What final blocks say of an authorization that nobody sends any more.
///
/// # Errors
/// No node could tell.
pub async fn became_of(desk: &Desk, run: &Run) -> Result<Option<Settlement>, Unavailable> {
    let Some((facilitator, authorization)) = of_run(desk, run) else { return Ok(None) };
    Attempt::new(desk, run, facilitator, &authorization).at_last().await
}

fn of_run<'d>(desk: &'d Desk, run: &Run) -> Option<(&'d Facilitator, Authorization)> {
    let facilitator = desk.facilitator(&run.network)?;
    let stored = run.authorization.as_ref()?;
    let network = facilitator.chain().network();
    let token = network.token(stored.asset.token?)?;
    let proof: Proof = serde_json::from_str(&stored.signed).ok()?;
    Some((facilitator, Authorization::read(&proof, network, token).ok()?))
}

struct Attempt<'a> {
    desk: &'a Desk,
    run: &'a Run,
    facilitator: &'a Facilitator,
    authorization: &'a Authorization,
    since: u64,
    /// Our last transaction, as the books have it: its hash, its bytes, when it was written.
    sent: Arc<Mutex<Option<(Sending, i64)>>>,
    /// That very transaction was handed to a node by this attempt.
    handed_on: bool,
    /// When this attempt last asked the facilitator, Unix milliseconds: a remote one may have sent what we know nothing of.
    asked_ms: Option<i64>,
}

impl<'a> Attempt<'a> {
    fn new(desk: &'a Desk, run: &'a Run, facilitator: &'a Facilitator, authorization: &'a Authorization) -> Self {
        let stored = run.authorization.as_ref();
        let sent = stored.and_then(|stored| stored.sent.clone());
        let sent = sent.map(|sent| (Sending { hash: sent.transaction, raw: sent.raw }, sent.at_ms));
        let since = stored.map_or(0, |stored| stored.since_block);
        Self { desk, run, facilitator, authorization, since, sent: Arc::new(Mutex::new(sent)), handed_on: false, asked_ms: None }
    }

    fn sent(&self) -> Option<(Sending, i64)> {
        self.sent.lock().map(|sent| sent.clone()).unwrap_or_default()
    }

    async fn seen(&self, at: At) -> Result<Seen, Unavailable> {
        let hash = self.sent().map(|(sending, _)| sending.hash);
        look(self.facilitator.chain(), self.authorization, hash, self.since, at).await
    }

    /// One look, and whatever follows from it. `None`: to be looked at again.
    async fn step(&mut self) -> Result<Option<Settlement>, Unavailable> {
        match self.seen(At::Latest).await? {
            // The newest block may vanish: only a final one counts.
            Seen::Paid { .. } | Seen::Wrapped { .. } | Seen::Elsewhere | Seen::Unclear => self.at_last().await,
            Seen::Unused { .. } => match self.at_last().await? {
                Some(over) => Ok(Some(over)),
                None => self.send().await,
            },
        }
    }

    /// What stands for ever: it was used, or a final block is later than its time.
    async fn at_last(&self) -> Result<Option<Settlement>, Unavailable> {
        let (words, valid_before_ms) = (self.authorization.method.words(), self.authorization.valid_before_ms());
        let failed = |reason| Ok(Some(Settlement::Failed(Refused::new(reason))));
        let settled = |transaction, block, block_time_ms, how| {
            Ok(Some(Settlement::Settled(self.deposit(transaction, block, block_time_ms, how))))
        };
        match self.seen(At::Final).await? {
            Seen::Paid { transaction, block, block_time_ms } if !self.is_taken(transaction).await => {
                settled(transaction, block, block_time_ms, How::Settlement)
            }
            Seen::Wrapped { transaction, block, block_time_ms } if !self.is_taken(transaction).await => {
                settled(transaction, block, block_time_ms, How::Wrapped)
            }
            Seen::Elsewhere => failed(words.used),
            // The very block in which it is unused is later.
            Seen::Unused { block_time_ms } if block_time_ms > valid_before_ms => failed(words.expired),
            Seen::Unused { .. } => Ok(None),
            // Not for ever: its payer waits, and others wait behind him.
            Seen::Unclear | Seen::Paid { .. } | Seen::Wrapped { .. } if now_ms() > valid_before_ms.saturating_add(UNCLEAR_MS) => {
                error!(run.id = %self.run.id, network = %self.run.network, "what the authorization of run {} was used for cannot be told: look it up, \
                    and give its payer credit if it was for us", self.run.id);
                failed(words.used)
            }
            Seen::Unclear | Seen::Paid { .. } | Seen::Wrapped { .. } => Ok(None),
        }
    }

    /// Was this transaction booked for another of the payer's authorizations? Only through Permit2 can it be: what a facilitator named, and what a
    /// stranger wrapped, is tied to none.
    async fn is_taken(&self, transaction: TxHash) -> bool {
        let Run { network, proof, payer, .. } = self.run;
        let taken = match self.authorization.method {
            Method::Eip3009 => return false,
            Method::Permit2 => self.desk.books.is_taken(network, transaction, *payer, proof).await,
        };
        taken.unwrap_or_else(|cause| {
            error!(run.id = %self.run.id, %cause, "the books do not tell what transaction {transaction} was booked for");
            true
        })
    }

    async fn send(&mut self) -> Result<Option<Settlement>, Unavailable> {
        let before = self.sent();
        if let Some((sending, at_ms)) = &before
            && now_ms() - at_ms < SEND_AGAIN_MS
        {
            if !self.handed_on && !sending.raw.is_empty() {
                // Written, and perhaps never sent: a crash came between. The same bytes are the same transaction.
                self.facilitator.resend(&sending.raw).await?;
                self.handed_on = true;
            }
            return Ok(None);
        }
        let (books, run, sent) = (self.desk.books.clone(), self.run.id.clone(), self.sent.clone());
        let record = move |sending: Sending| {
            let (books, run, sent) = (books.clone(), run.clone(), sent.clone());
            async move {
                let now = now_ms();
                let open =
                    books.sending(&run, sending.hash, &sending.raw, now).await.map_err(|cause| NotRecorded(cause.to_string()))?;
                if !open {
                    return Err(NotRecorded("it is settled already".to_owned()));
                }
                info!(run.id = %run, transaction = %sending.hash, "settling run {run} with {}", sending.hash);
                if let Ok(mut sent) = sent.lock() {
                    *sent = Some((sending, now));
                }
                Ok(())
            }
            .boxed()
        };
        if self.asked_ms.is_some_and(|asked| now_ms() - asked < SEND_AGAIN_MS) {
            return Ok(None);
        }
        let first = before.is_none() && self.asked_ms.is_none();
        (self.handed_on, self.asked_ms) = (true, Some(now_ms()));
        match self.facilitator.settle(self.authorization, &record).await {
            Ok(hash) => {
                self.note(hash).await;
                Ok(None)
            }
            // An earlier transaction of ours may still be on its way; as long as it can arrive, nothing has failed.
            Err(SettleError::Refused(_)) if !first => Ok(None),
            Err(SettleError::Refused(why)) => Ok(Some(Settlement::Failed(why))),
            Err(SettleError::Unknown(cause)) => {
                warn!(run.id = %self.run.id, %cause, "the settlement of run {} has no answer yet", self.run.id);
                if let Some(hash) = cause.transaction {
                    self.note(hash).await;
                }
                Ok(None)
            }
        }
    }

    /// A remote facilitator's transaction: it signs itself, so we have its hash at most, and keep it for whoever goes on after us. Ours is known.
    async fn note(&self, hash: TxHash) {
        if self.sent().is_some_and(|(sending, _)| sending.hash == hash) {
            return;
        }
        let now = now_ms();
        if let Err(cause) = self.desk.books.sending(&self.run.id, hash, &[], now).await {
            // Without it the chain is searched.
            warn!(run.id = %self.run.id, %cause, "the transaction that settles run {} could not be kept", self.run.id);
        }
        if let Ok(mut sent) = self.sent.lock() {
            *sent = Some((Sending { hash, raw: Vec::new() }, now));
        }
    }

    fn deposit(&self, transaction: TxHash, block: u64, block_time_ms: i64, how: How) -> Deposit {
        Deposit {
            network: self.run.network.clone(),
            proof: self.run.proof.clone(),
            transaction,
            payer: self.authorization.from,
            pay_to: self.authorization.to,
            asset: self.authorization.asset(),
            amount: self.authorization.value,
            block,
            block_time_ms,
            how,
        }
    }
}
