//! Reads each block once while anyone waits, and hands on what became final. While nobody waits, no node is asked.

use std::{collections::HashSet, future::Future, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::FutureExt;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    Chain, Transfer,
    reader::{Reader, Trouble, Turn},
};
use crate::{
    evm::{Address, TxHash},
    seldom::Seldom,
};

/// The newest final block whose content was handed on. Stored by the follower; never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub height: u64,
    pub hash: [u8; 32],
}

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Interest {
    /// Every successful plain transfer to it is handed on.
    pub pay_to: Address,
    /// Where visitors paid to before: what still arrives there is handed on as well.
    pub former: Vec<Address>,
    /// Transactions that are handed on whatever they did. One whose block was handed on before it came in here is not found
    /// any more: whoever adds a hash looks it up as well.
    pub hashes: HashSet<TxHash>,
    /// The lowest block that can hold what is waited for. Reading starts at the later of it and the cursor's successor.
    pub from_block: u64,
    pub cursor: Option<Cursor>,
}

/// A final block and what in it was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalBlock {
    pub cursor: Cursor,
    /// The block's own time, Unix milliseconds.
    pub time_ms: i64,
    pub transfers: Vec<Transfer>,
}

/// Why the follower cannot take a block now; it is offered again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotTaken(pub String);

/// Whoever wants to know what became final: `x402::till`.
pub trait Follower: Send + Sync + 'static {
    /// `None`: nobody waits (or another instance follows this network), and the chain is not asked.
    fn interest(&self) -> impl Future<Output = Option<Interest>> + Send;

    /// Hashes of the interest that were seen in a block that is not final yet (height), or that left it again (`None`, C7).
    fn included(&self, seen: Vec<(TxHash, Option<u64>)>) -> impl Future<Output = ()> + Send;

    /// Books the transfers and stores the cursor, both or neither. May be told the same block twice.
    fn became_final(&self, block: FinalBlock) -> impl Future<Output = Result<(), NotTaken>> + Send;

    /// The chain has another block where one was final, and `why` we believe it: payments on this network stop until an operator looks.
    fn changed_below(&self, height: u64, why: String) -> impl Future<Output = ()> + Send;
}

/// Between two looks whether anybody waits, or whether an operator has seen to a changed chain.
const IDLE: Duration = Duration::from_secs(5);

/// The longest pause after trouble, jitter aside: a visitor may be waiting.
const TROUBLE_MAX: Duration = Duration::from_secs(15);

/// Follows until `stop`. `wake` ends the pause of a follower that asks no node, at once.
///
/// Nothing ends it early: nodes that are away, a ledger that is away and a follower that panics are waited for, longer each
/// time, and told in the log once when it begins and once when it is over, at most once a minute. Of nodes that are away `outage` tells.
pub async fn follow<F: Follower>(chain: Chain, follower: F, wake: Arc<Notify>, stop: CancellationToken) {
    let mut outage = Outage::new(&chain);
    let mut reader = Reader::new(chain.clone());
    loop {
        // Before the follower is asked: who begins to wait from now on is heard.
        let mut woken = pin!(wake.notified());
        woken.as_mut().enable();
        let turn = AssertUnwindSafe(reader.turn(&follower)).catch_unwind();
        let Some(turn) = stop.run_until_cancelled(turn).await else { return };
        let turn = turn.unwrap_or_else(|_panic| {
            reader.rest(); // it may have been left half way
            Err(Trouble::Panicked)
        });
        let pause = match &turn {
            Ok(Turn::Idle | Turn::Stopped) => outage.over(IDLE),
            Ok(Turn::CaughtUp) => outage.over(chain.settings().poll),
            Ok(Turn::Behind) => outage.over(Duration::ZERO),
            Err(trouble) => outage.goes_on(trouble),
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            // Not while nodes are asked: what they are asked must not grow with people.
            () = woken, if matches!(turn, Ok(Turn::Idle | Turn::Stopped)) => {}
        }
    }
}

/// From the first turn that came to nothing to the next that did not.
struct Outage {
    network: String,
    first_pause: Duration,
    now: Option<(Instant, ExponentialBackoff, std::mem::Discriminant<Trouble>)>,
    is_told: bool,
    seldom: Seldom,
}

impl Outage {
    fn new(chain: &Chain) -> Self {
        let (network, first_pause) = (chain.network().name.clone(), chain.settings().poll);
        Self { network, first_pause, now: None, is_told: false, seldom: Seldom::default() }
    }

    /// How long to pause, after telling why.
    fn goes_on(&mut self, trouble: &Trouble) -> Duration {
        let kind = std::mem::discriminant(trouble);
        let is_news = self.now.as_ref().is_none_or(|(_, _, before)| *before != kind);
        let (_, backoff, before) = self.now.get_or_insert_with(|| {
            let pauses = ExponentialBuilder::new().with_min_delay(self.first_pause).with_max_delay(TROUBLE_MAX);
            (Instant::now(), pauses.with_jitter().without_max_times().build(), kind)
        });
        *before = kind;
        let pause = backoff.next().unwrap_or(TROUBLE_MAX);
        let (network, wait_ms) = (&self.network, millis(pause));
        if is_news && !matches!(trouble, Trouble::Chain(_)) && self.seldom.is_time("pauses") {
            self.is_told = true;
            warn!(network, wait_ms, "following {network} pauses, for {wait_ms} ms at first: {trouble}");
        } else {
            debug!(network, wait_ms, "following {network} pauses for another {wait_ms} ms: {trouble}");
        }
        pause
    }

    /// The pause that was meant, after telling that it is over.
    fn over(&mut self, pause: Duration) -> Duration {
        if let Some((since, ..)) = self.now.take() {
            let (network, wait_ms) = (&self.network, millis(since.elapsed()));
            if std::mem::take(&mut self.is_told) {
                info!(network, wait_ms, "following {network} goes on after {wait_ms} ms");
            }
        }
        pause
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
