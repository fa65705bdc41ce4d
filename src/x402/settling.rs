//! Settling what a payer signed: sends it, and looks until a final block says what became of it. The chain alone has the last word.
//!
//! Safe to begin again at any point, by any instance: an authorization's nonce lets it through once, and its deposit is unique in the books.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::FutureExt;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, error, info, warn};

use super::{
    authorization::{Authorization, Refused, booked_nonce},
    desk::{Desk, now_ms},
    early,
    facilitator::{At, Facilitator, NotRecorded, Sending, SettleError, look, look_past},
    wire::Proof,
};
use crate::{
    chain::{Seen, TransferState, Unavailable, Waited},
    evm::TxHash,
    ledger::{Deposit, How, Promised, Run, authorizations::LOOK_AFTER_MS},
    money::Amount,
};

/// A transaction of ours that no block has after so long may be lost, or underpriced: another one is sent. Only one of them can move money.
const SEND_AGAIN_MS: i64 = 15_000;

/// Where nothing could be signed, it is tried again after so long.
const SIGN_AGAIN_MS: i64 = 3_000;

/// For so long after its time it is tried to find out what an authorization was used for.
const UNCLEAR_MS: i64 = 10 * 60 * 1000;

/// Between two looks at the chain, at most, while one settlement is waited for. It begins with the network's `poll_ms`.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(3);

/// Each pause is so many percent of the one before.
const LOOK_PAUSE_GROWS_PERCENT: u32 = 150;

/// Where we sent a transaction that a node does not know, "its nonce was used for something else" has to be said twice, so far apart: a node
/// may have a block before it has the logs that are in it.
const LOOK_TWICE: Duration = Duration::from_secs(2);

/// When it is not tried any more to settle a run, Unix milliseconds: its authorization may be good for years, and its payer waits. What is sent later all
/// the same is looked for, and is their credit.
fn given_up_ms(run: &Run, valid_before_ms: i64) -> i64 {
    valid_before_ms.min(run.held_ms.unwrap_or(run.created_ms).saturating_add(LOOK_AFTER_MS))
}

/// What ends within so short a time is looked at before it is sent, milliseconds.
const FRESH_MS: i64 = 30_000;

/// What no block has after so long, milliseconds, may have been dropped.
const MISSING_MS: i64 = 10_000;

/// What became of a settlement.
#[allow(clippy::large_enum_variant)] // made once for a settlement and matched at once
#[derive(Debug)]
pub enum Settlement {
    /// A final block holds the transfer; `of`: one of so many equal ones, of which nothing says which is whose ([`Books::settle_one_of`]).
    ///
    /// [`Books::settle_one_of`]: crate::ledger::Books::settle_one_of
    Settled { deposit: Deposit, of: u64 },
    /// It would not be carried out now, in x402's words. Somebody may still send it until its time is over.
    Failed(Refused),
    /// Final blocks show that it was not carried out and never will be, in x402's words.
    Over(Refused),
    /// Nobody knows yet: to be continued.
    Unknown,
}

/// Has the run's authorization carried out, for `patience` at most.
pub async fn settle(desk: &Desk, run: &Run, patience: Duration) -> Settlement {
    let Some((facilitator, authorization)) = of_run(desk, run) else {
        warn!(run.id = %run.id, network = %run.network, "run {} is paid by a token that is not taken any more: put it back into the settings", run.id);
        return Settlement::Unknown;
    };
    if !desk.is_believed(&run.network) {
        // What this chain says is not believed until an operator has looked, or before it was met.
        return Settlement::Unknown;
    }
    let until = Instant::now() + patience;
    let mut attempt = Attempt::new(desk, run, facilitator, &authorization);
    let first = facilitator.chain().settings().poll;
    let mut pause = first;
    loop {
        let before = attempt.stage();
        match attempt.step(until).await {
            Ok(Some(settlement)) => return settlement,
            Ok(None) => {}
            // The network's own line tells of its outage, once a minute.
            Err(cause) => {
                debug!(run.id = %run.id, network = %run.network, %cause, "the settlement of run {} is not known yet", run.id)
            }
        }
        if Instant::now() >= until {
            return Settlement::Unknown;
        }
        // What was sent just now is in a block soon; what is not there after a while is not looked for at the same pace for ever.
        pause = match attempt.stage() == before {
            true => (pause * LOOK_PAUSE_GROWS_PERCENT / 100).min(LOOK_PAUSE_MAX.max(first)),
            false => first,
        };
        sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
    }
}

/// What final blocks say of an authorization that nobody sends any more.
///
/// # Errors
/// No node could tell.
pub async fn became_of(desk: &Desk, run: &Run) -> Result<Option<Settlement>, Unavailable> {
    let Some((facilitator, authorization)) = of_run(desk, run) else { return Ok(None) };
    let mut attempt = Attempt::new(desk, run, facilitator, &authorization);
    // Nobody waits for it: it may be used until its time is over.
    attempt.over_ms = authorization.valid_before_ms();
    // Asked long after it was sent, and rarely or never again.
    attempt.elsewhere = Some(Instant::now().checked_sub(LOOK_TWICE).unwrap_or_else(Instant::now));
    attempt.at_last().await
}

/// Up to which final block nobody has sent it. `None`: somebody has, or it cannot be told.
///
/// # Errors
/// No node could tell.
pub async fn unused_up_to(desk: &Desk, run: &Run) -> Result<Option<u64>, Unavailable> {
    let Some((facilitator, authorization)) = of_run(desk, run) else { return Ok(None) };
    // Asked for first: what is looked at is not below it.
    let head = facilitator.chain().final_head().await?;
    let seen = Attempt::new(desk, run, facilitator, &authorization).seen(At::Final).await?;
    Ok(matches!(seen, Seen::Unused { .. }).then_some(head))
}

/// Whether a run's price is still there right before the work.
#[derive(Debug)]
pub enum Cover {
    Yes,
    /// In x402's words: work that nobody can be charged for is not begun.
    No(Refused),
    /// It has moved, and nothing in its transaction says for which of its payer's authorizations: it is booked before the work.
    Untied,
}

/// Right before the work: has its payer still what was signed for this call, and for those of theirs that began before it?
///
/// Unknown is not no: what no node can tell now was true a moment ago.
pub async fn cover(desk: &Desk, run: &Run) -> Cover {
    let Some((facilitator, authorization)) = of_run(desk, run) else { return Cover::Yes };
    let poll_ms = i64::try_from(facilitator.chain().settings().poll.as_millis()).unwrap_or(0);
    if run.held_ms.is_some_and(|held_ms| (0..poll_ms).contains(&now_ms().saturating_sub(held_ms))) {
        return Cover::Yes; // it was looked at in this moment
    }
    let asked = async {
        let promised = desk.books.promised(run.payer, &authorization.asset()).await.map_err(|cause| cause.to_string())?;
        let (mine, before): (Vec<_>, Vec<_>) =
            promised.into_iter().filter(|promised| promised.run <= run.id).partition(|promised| promised.run == run.id);
        if mine.is_empty() {
            return Ok(Cover::Yes); // settled in this moment
        }
        let named = |promised: Promised| Some((booked_nonce(&promised.proof)?, promised.amount));
        // Its own first.
        let named: Vec<_> = mine.into_iter().chain(before).filter_map(named).collect();
        let nonces: Vec<_> = named.iter().map(|(nonce, _)| *nonce).collect();
        let chain = facilitator.chain();
        let purse =
            chain.purse(authorization.token.address, authorization.from, &nonces).await.map_err(|cause| cause.to_string())?;
        if purse.used.first() == Some(&true) {
            let since = run.authorization.as_ref().map_or(0, |stored| stored.since_block);
            let seen = look(chain, &authorization, None, since, At::Latest).await.map_err(|cause| cause.to_string())?;
            return Ok(match seen {
                Seen::Elsewhere => Cover::No(Refused::new(authorization.method.words().used)),
                Seen::Wrapped { .. } => Cover::Untied,
                Seen::Paid { .. } | Seen::Unused { .. } | Seen::Unclear => Cover::Yes,
            });
        }
        let open = named.iter().zip(&purse.used).filter(|(_, used)| !**used).map(|((_, amount), _)| *amount);
        let all = open.into_iter().try_fold(Amount::ZERO, Amount::plus);
        Ok::<_, String>(match all {
            Some(all) if all <= purse.balance => Cover::Yes,
            _ => Cover::No(Refused::new(authorization.method.words().balance)),
        })
    };
    asked.await.unwrap_or_else(|cause| {
        // While no node answers, its network's own line says so.
        if facilitator.chain().healthy() && desk.seldom.is_time(&format!("covering on {}", run.network)) {
            warn!(run.id = %run.id, %cause, "nobody knows whether the payer of run {} still has its price", run.id);
        }
        Cover::Yes
    })
}

fn of_run<'d>(desk: &'d Desk, run: &Run) -> Option<(&'d Facilitator, Authorization)> {
    let facilitator = desk.facilitator(&run.network)?;
    let stored = run.authorization.as_ref()?;
    let network = facilitator.chain().network();
    let token = network.token(stored.asset.token?)?;
    let proof: Proof = serde_json::from_str(&stored.signed).ok()?;
    let authorization = Authorization::read(&proof, network, token).ok()?;
    Some((facilitator, authorization.buying(desk.bought(&run.agent))))
}

struct Attempt<'a> {
    desk: &'a Desk,
    run: &'a Run,
    facilitator: &'a Facilitator,
    authorization: &'a Authorization,
    since: u64,
    /// Where no block until then has used it, it has failed: Unix milliseconds.
    over_ms: i64,
    /// Our last transaction, as the books have it: its hash, its bytes, when it was written.
    sent: Arc<Mutex<Option<(Sending, i64)>>>,
    /// That very transaction was handed to a node by this attempt.
    handed_on: bool,
    /// When this attempt last asked the facilitator, Unix milliseconds.
    asked_ms: Option<i64>,
    /// It asked one that may have sent something: a remote one may have sent what we know nothing of.
    may_have_sent: bool,
    /// Its nonce was seen to be used, in a block that may vanish.
    was_used: bool,
    /// Transactions whose transfers are all booked for others.
    taken: Vec<TxHash>,
    /// When final blocks first said that it was used for something else.
    elsewhere: Option<Instant>,
    /// The chain was looked at by this attempt.
    has_looked: bool,
    /// The first transaction that was ever sent for it, if this attempt sent it: where that reverts, it has failed.
    first: Option<TxHash>,
    /// A block had this one, and it was told to who sent it.
    included: Option<TxHash>,
    /// No block had this one for long, and it was told to who sent it.
    missing: Option<TxHash>,
    /// Why this one reverted was looked up.
    reverted: Option<TxHash>,
}

impl<'a> Attempt<'a> {
    fn new(desk: &'a Desk, run: &'a Run, facilitator: &'a Facilitator, authorization: &'a Authorization) -> Self {
        let stored = run.authorization.as_ref();
        let sent = stored.and_then(|stored| stored.sent.clone());
        let sent = sent.map(|sent| (Sending { hash: sent.transaction, raw: sent.raw }, sent.at_ms));
        let since = stored.map_or(0, |stored| stored.since_block);
        let over_ms = given_up_ms(run, authorization.valid_before_ms());
        let sent = Arc::new(Mutex::new(sent));
        let (handed_on, asked_ms, was_used, taken, elsewhere) = (false, None, false, Vec::new(), None);
        let (has_looked, may_have_sent) = (false, false);
        let (first, included, missing, reverted) = (None, None, None, None);
        Self {
            desk,
            run,
            facilitator,
            authorization,
            since,
            over_ms,
            sent,
            handed_on,
            asked_ms,
            may_have_sent,
            was_used,
            taken,
            elsewhere,
            has_looked,
            first,
            included,
            missing,
            reverted,
        }
    }

    /// How far it is: while that does not change, it is looked at less and less often.
    fn stage(&self) -> (Option<(TxHash, i64)>, bool, bool) {
        let sent = self.sent().map(|(sending, at_ms)| (sending.hash, at_ms));
        (sent, self.was_used, self.included.is_some())
    }

    fn sent(&self) -> Option<(Sending, i64)> {
        self.sent.lock().map(|sent| sent.clone()).unwrap_or_default()
    }

    async fn seen(&self, at: At) -> Result<Seen, Unavailable> {
        let hash = self.sent().map(|(sending, _)| sending.hash);
        look_past(self.facilitator.chain(), self.authorization, hash, self.since, &self.taken, at).await
    }

    /// One look, together with everybody who waits for this network's next block, and whatever follows from it. `None`: to be looked at again.
    async fn step(&mut self, until: Instant) -> Result<Option<Settlement>, Unavailable> {
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        if is_first && self.is_fresh() {
            // What stands in its way, the one who signs the transaction finds out with it.
            return self.send().await;
        }
        let hash = self.sent().map(|(sending, _)| sending.hash);
        let waited = Waited { transfer: self.authorization.transfer(), hash, since: self.since };
        let Ok(glance) = timeout_at(until, self.facilitator.chain().look_together(waited, is_first)).await else {
            return Ok(None);
        };
        let glance = glance?;
        if let Some(hash) = hash.filter(|hash| glance.included.is_some() && self.included != Some(*hash)) {
            self.included = Some(hash);
            self.facilitator.is_included(hash).await;
        }
        match glance.is_used {
            Some(true) => self.used(&glance).await,
            Some(false) => self.unused(&glance).await,
            None => self.step_alone().await,
        }
    }

    /// Nothing was sent for it yet, and nothing but its payer's means can stand in its way.
    fn is_fresh(&self) -> bool {
        let ends_ms = self.over_ms.min(self.authorization.valid_before_ms());
        self.facilitator.is_ours()
            && self.sent().is_none()
            && now_ms().saturating_add(FRESH_MS) < ends_ms
            && !early::is_too_early_for(i64::MIN, self.authorization)
    }

    async fn used(&mut self, glance: &TransferState) -> Result<Option<Settlement>, Unavailable> {
        self.was_used = true;
        if let Some(Seen::Paid { transaction, block, block_time_ms }) = glance.paid {
            let deposit = self.deposit(transaction, block, block_time_ms, How::Settlement);
            return Ok(Some(Settlement::Settled { deposit, of: 1 }));
        }
        // The newest block may vanish: only a final one counts.
        let is_final = glance.included.is_none_or(|included| included.block <= glance.final_block);
        if !is_final || glance.is_used_at_last == Some(false) {
            return Ok(None);
        }
        // Nor is it given up while a newer block than the final one has it.
        Ok(self.at_last().await?.filter(|ended| !matches!(ended, Settlement::Failed(_))))
    }

    async fn unused(&mut self, glance: &TransferState) -> Result<Option<Settlement>, Unavailable> {
        // The final block is older than the newest: before that is too late, nothing is over.
        if glance.block_time_ms > self.over_ms.min(self.authorization.valid_before_ms())
            && let Some(ended) = self.at_last().await?
        {
            return Ok(Some(ended));
        }
        // No block takes it yet: it would be tried out, and refused.
        if early::is_too_early_for(glance.block_time_ms, self.authorization) {
            return Ok(None);
        }
        match glance.included {
            // The node looked at two blocks.
            Some(included) if included.succeeded => return Ok(None),
            Some(_) => {
                if let Some(failed) = self.reverted().await {
                    return Ok(Some(failed));
                }
            }
            None => self.note_missing().await,
        }
        self.send().await
    }

    /// Ours is in a block, and moved nothing. Only where nothing else was ever sent, that is the end.
    async fn reverted(&mut self) -> Option<Settlement> {
        let (Sending { hash, .. }, _) = self.sent()?;
        if self.reverted == Some(hash) {
            return None;
        }
        match self.facilitator.reverted(self.authorization, hash).await {
            Err(SettleError::Refused(why)) => {
                self.reverted = Some(hash);
                (self.first == Some(hash)).then_some(Settlement::Failed(why))
            }
            Ok(_) | Err(SettleError::Unknown(_)) => None,
        }
    }

    /// A node may have dropped ours.
    async fn note_missing(&mut self) {
        let Some((Sending { hash, .. }, at_ms)) = self.sent() else { return };
        if self.included != Some(hash) && self.missing != Some(hash) && now_ms().saturating_sub(at_ms) > MISSING_MS {
            self.missing = Some(hash);
            self.facilitator.is_not_included().await;
        }
    }

    /// The same step for it alone, where the look at many does not tell.
    async fn step_alone(&mut self) -> Result<Option<Settlement>, Unavailable> {
        match self.seen(At::Latest).await? {
            // The newest block may vanish: only a final one counts.
            Seen::Paid { .. } | Seen::Wrapped { .. } | Seen::Elsewhere | Seen::Unclear => {
                self.was_used = true;
                // Nor is it given up while a newer block than the final one has it.
                Ok(self.at_last().await?.filter(|ended| !matches!(ended, Settlement::Failed(_))))
            }
            Seen::Unused { block_time_ms } => match self.at_last().await? {
                Some(over) => Ok(Some(over)),
                // No block takes it yet: it would be tried out, and refused.
                None if early::is_too_early_for(block_time_ms, self.authorization) => Ok(None),
                None => self.send().await,
            },
        }
    }

    /// What stands for ever: it was used, or a final block is later than its time. Or it is given up, because one is later than anybody waits.
    async fn at_last(&mut self) -> Result<Option<Settlement>, Unavailable> {
        let (words, valid_before_ms) = (self.authorization.method.words(), self.authorization.valid_before_ms());
        let over = |reason| Ok(Some(Settlement::Over(Refused::new(reason))));
        loop {
            let (deposit, of) = match self.seen(At::Final).await? {
                Seen::Paid { transaction, block, block_time_ms } => {
                    (self.deposit(transaction, block, block_time_ms, How::Settlement), 1)
                }
                Seen::Wrapped { transaction, block, block_time_ms, transfers } => {
                    (self.deposit(transaction, block, block_time_ms, How::Wrapped), transfers)
                }
                Seen::Elsewhere if self.is_told_twice() => return over(words.used),
                Seen::Elsewhere => return Ok(None),
                // The very block in which it is unused is later.
                Seen::Unused { block_time_ms } if block_time_ms > valid_before_ms => return over(words.expired),
                // Given up, and somebody may still send it.
                Seen::Unused { block_time_ms } if block_time_ms > self.over_ms => {
                    return Ok(Some(Settlement::Failed(Refused::new(words.expired))));
                }
                Seen::Unused { .. } => return Ok(None),
                // Not for ever: its payer waits, and others wait behind him.
                Seen::Unclear if now_ms() > self.over_ms.saturating_add(UNCLEAR_MS) => {
                    error!(run.id = %self.run.id, network = %self.run.network, "what the authorization of run {} was used for cannot be told: look it up, \
                        and give its payer credit if it was for us", self.run.id);
                    return over(words.used);
                }
                Seen::Unclear => return Ok(None),
            };
            if deposit.how == How::Settlement || self.is_left(&deposit, of).await? {
                return Ok(Some(Settlement::Settled { deposit, of }));
            }
            // All of it paid for others of this payer's. Another transaction may have paid for this one.
            self.taken.push(deposit.transaction);
        }
    }

    /// "Used for something else" is final at once where we have sent nothing that a node could be about to show.
    fn is_told_twice(&mut self) -> bool {
        self.sent().is_none() || self.elsewhere.get_or_insert_with(Instant::now).elapsed() >= LOOK_TWICE
    }

    /// Is one of the transfers that may be it not booked for another of its payer's authorizations yet?
    async fn is_left(&self, deposit: &Deposit, of: u64) -> Result<bool, Unavailable> {
        let booked = self.desk.books.booked_for_others(deposit).await;
        booked.map(|booked| booked < of).map_err(|cause| {
            error!(run.id = %self.run.id, %cause, "the books do not tell what transaction {} was booked for", deposit.transaction);
            Unavailable { network: self.run.network.clone(), cause: "the books do not answer".to_owned() }
        })
    }

    async fn send(&mut self) -> Result<Option<Settlement>, Unavailable> {
        let before = self.sent();
        if let Some((sending, at_ms)) = &before
            && now_ms() - at_ms < SEND_AGAIN_MS
        {
            if (self.handed_on && !self.was_used) || sending.raw.is_empty() {
                return Ok(None);
            }
            // Written, and perhaps never sent: a crash came between. Or it was in a block that has vanished. The same bytes are the same
            // transaction.
            match self.facilitator.resend(&sending.raw).await {
                Ok(()) => {
                    (self.handed_on, self.was_used) = (true, false);
                    return Ok(None);
                }
                Err(away) if !self.was_used => return Err(away),
                // Its number was given to another one meanwhile.
                Err(_) => (self.asked_ms, self.was_used) = (None, false),
            }
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
        let first = before.is_none() && !self.may_have_sent;
        (self.handed_on, self.asked_ms) = (true, Some(now_ms()));
        match self.facilitator.begin(self.authorization, &record).await {
            Ok(hash) => {
                self.note(hash).await;
                if first {
                    self.first = Some(hash);
                }
                self.may_have_sent = true;
                // Who signs elsewhere has waited for a block.
                self.was_used |= !self.facilitator.is_ours();
                Ok(None)
            }
            // An earlier transaction of ours may still be on its way; as long as it can arrive, nothing has failed.
            Err(SettleError::Refused(_)) if !first => Ok(None),
            Err(SettleError::Refused(why)) => Ok(Some(Settlement::Failed(why))),
            Err(SettleError::Unknown(cause)) => {
                if self.desk.seldom.is_time(&format!("settling on {}", self.run.network)) {
                    let network = &self.run.network;
                    warn!(run.id = %self.run.id, network, %cause, "settlements on {network} have no answer, such as that of run {}: {cause}", self.run.id);
                }
                if let Some(hash) = cause.transaction {
                    self.note(hash).await;
                } else if self.facilitator.is_ours() {
                    // Nothing was signed.
                    self.asked_ms = Some(now_ms() - SEND_AGAIN_MS + SIGN_AGAIN_MS);
                    return Ok(None);
                }
                self.may_have_sent = true;
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
