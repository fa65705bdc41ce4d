//! Meeting a network, beside everything else: a chain that does not answer holds up nobody but its own payments.
//!
//! Its nodes show which chain they are of; `payTo` is looked at; its tokens are; then it is followed. Until the first of these its payments are
//! written down and told to come again (`x402::unmet`).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::{sync::oneshot, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    opening::{CannotOpen, look_first, meet, meet_within, warn_of_clock},
    recipient, tokens,
};
use crate::{
    chain::Chain,
    x402::{desk::Desk, till},
};

/// Between two attempts: 1 s at first, twice as long each time, up to this.
const MEET_EVERY_MAX: Duration = Duration::from_secs(10);

/// Why the shop has to close: its books cannot be kept with what answers there. The first one counts.
#[derive(Clone, Default)]
pub struct Failure(Arc<Mutex<Option<CannotOpen>>>);

impl Failure {
    fn set(&self, why: CannotOpen) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    pub fn take(&self) -> Option<CannotOpen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// One network that is to be met.
pub struct Meeting {
    desk: Desk,
    chain: Chain,
    failure: Failure,
    stop: CancellationToken,
    /// Dropped when it is met.
    met: oneshot::Sender<()>,
}

impl Meeting {
    /// Not met from here on. What is returned ends when it is met, or never will be.
    pub fn of(desk: Desk, chain: Chain, failure: Failure, stop: CancellationToken) -> (Self, oneshot::Receiver<()>) {
        desk.unmet.set(&chain.network().id, "its nodes are being asked which chain they are of");
        let (met, ended) = oneshot::channel();
        (Self { desk, chain, failure, stop, met }, ended)
    }

    /// Meets it, and follows it until `stop`. Another chain there closes the shop.
    pub async fn go(self) {
        let Self { desk, chain, failure, stop, met } = self;
        match stop.run_until_cancelled(meet_at_last(&desk, &chain)).await {
            Some(Ok(())) => {}
            Some(Err(why)) => {
                failure.set(why);
                return stop.cancel();
            }
            None => return,
        }
        let first = async {
            look_first(&desk.books, &chain, desk.pay_to).await;
            recipient::look(&desk, &chain).await;
            desk.unmet.clear(&chain.network().id);
        };
        if stop.run_until_cancelled(first).await.is_none() {
            return;
        }
        let tokens = async {
            let known = tokens::look(&desk, &chain).await;
            drop(met);
            tokens::keep_looking(desk.clone(), chain.clone(), known, stop.clone()).await;
        };
        tokio::join!(
            till::follow_one(desk.clone(), chain.clone(), stop.clone()),
            recipient::keep_looking(desk.clone(), chain.clone(), stop.clone()),
            async {
                let _ = stop.run_until_cancelled(tokens).await;
            },
            warn_of_clock(chain.clone(), stop.clone()),
        );
    }
}

/// # Errors
/// It is another chain.
async fn meet_at_last(desk: &Desk, chain: &Chain) -> Result<(), CannotOpen> {
    let network = chain.network();
    let mut pauses = ExponentialBuilder::new().with_max_delay(MEET_EVERY_MAX).with_jitter().without_max_times().build();
    let mut met = meet(&desk.books, chain).await;
    loop {
        let why = match met {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(away)) => away.cause,
            Err(CannotOpen::Books(cause)) => format!("the books do not answer: {cause}"),
            Err(wrong) => return Err(wrong),
        };
        // The network's own line tells of its outage.
        tracing::debug!("{} is not met yet: {why}", network.name);
        desk.unmet.set(&network.id, why);
        sleep(pauses.next().unwrap_or(MEET_EVERY_MAX)).await;
        // Each node has two questions to answer, and now as long as for any other.
        met = meet_within(&desk.books, chain, chain.settings().timeout * 2).await;
    }
}
