//! Small questions of many visitors in one batch: while one is under way, those that come meanwhile wait and go out together. A flood of strangers costs a
//! node a few requests a second, and who comes alone waits for nobody.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::json;
use tokio::{
    sync::{self, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Chain, Unavailable,
    node::{Call, Fault, Node, Said},
    question::Question,
    rpc::{bytes, ok, ran, view},
};
use crate::evm::Address;

/// Between two batches, at least.
const EVERY: Duration = Duration::from_millis(100);

/// Calls in one batch: public nodes take a hundred.
const CALLS_MAX: usize = 96;

/// What one visitor's payment has to be asked about, at the newest block. A handful of calls.
#[derive(Clone, Debug, Default)]
pub struct Small {
    /// Has this address code?
    pub code_of: Option<Address>,
    pub views: Vec<(Address, Vec<u8>)>,
}

/// What a node says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub has_code: bool,
    /// For each view: `None` if it reverted.
    pub returned: Vec<Option<Vec<u8>>>,
}

#[derive(Default)]
pub(super) struct Gather {
    waiting: Mutex<Vec<Waiting>>,
    /// When the last batch went out. Held by the one who asks for all.
    last: sync::Mutex<Option<Instant>>,
}

struct Waiting {
    small: Small,
    answer: oneshot::Sender<Result<Told, Unavailable>>,
}

impl Gather {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As many as fit into a batch, oldest first. Those who have gone away wait for nothing.
    fn take(&self) -> Vec<Waiting> {
        let mut all = self.waiting();
        all.retain(|waiting| !waiting.answer.is_closed());
        let (mut calls, mut count) = (0, 0);
        while let Some(next) = all.get(count) {
            calls += next.small.count();
            if calls > CALLS_MAX && count > 0 {
                break;
            }
            count += 1;
        }
        all.drain(..count).collect()
    }
}

impl Chain {
    /// Asks it together with what others ask at this moment.
    ///
    /// # Errors
    /// No node tells.
    pub async fn ask_small(&self, small: Small) -> Result<Told, Unavailable> {
        let gather = self.gather();
        loop {
            let (answer, mut told) = oneshot::channel();
            gather.waiting().push(Waiting { small: small.clone(), answer });
            loop {
                let last = tokio::select! {
                    biased;
                    told = &mut told => match told {
                        Ok(told) => return told,
                        // Who asked for all has gone away.
                        Err(_) => break,
                    },
                    last = gather.last.lock() => last,
                };
                // Its own may not be among the first.
                self.ask_for_all(last).await;
            }
        }
    }

    async fn ask_for_all(&self, mut last: sync::MutexGuard<'_, Option<Instant>>) {
        if let Some(last) = *last {
            sleep_until(last + EVERY).await;
        }
        // Whoever comes in this moment goes along.
        tokio::task::yield_now().await;
        let all = self.gather().take();
        if all.is_empty() {
            return;
        }
        *last = Some(Instant::now());
        let asked: Vec<_> = all.iter().map(|waiting| waiting.small.clone()).collect();
        match self.answer(&Smalls(&asked)).await {
            Ok(told) => {
                for (waiting, told) in all.into_iter().zip(told) {
                    let unavailable = |fault: Fault| Unavailable { network: self.network().name.clone(), cause: fault.cause };
                    // Whoever has gone away needs no answer.
                    let _ = waiting.answer.send(told.map_err(unavailable));
                }
            }
            Err(unavailable) => {
                for waiting in all {
                    let _ = waiting.answer.send(Err(unavailable.clone()));
                }
            }
        }
    }
}

impl Small {
    fn count(&self) -> usize {
        usize::from(self.code_of.is_some()) + self.views.len()
    }

    fn calls(&self) -> Vec<Call> {
        let code = self.code_of.map(|address| Call::new("eth_getCode", json!([address, "latest"])));
        code.into_iter().chain(self.views.iter().map(|(to, data)| view(*to, data))).collect()
    }

    /// An odd answer to one of them is that one's alone.
    fn read(&self, said: Vec<Said>) -> Result<Told, Fault> {
        let mut said = said.into_iter();
        let mut next = || said.next().ok_or_else(|| Fault::of_node("fewer answers than questions"));
        let has_code = match self.code_of {
            Some(_) => !bytes(&ok(next()?)?)?.is_empty(),
            None => false,
        };
        let returned = self.views.iter().map(|_| ran(next()?)).collect::<Result<_, Fault>>()?;
        Ok(Told { has_code, returned })
    }
}

struct Smalls<'a>(&'a [Small]);

impl Question for Smalls<'_> {
    type Answer = Vec<Result<Told, Fault>>;

    async fn put_to(&self, node: &Node) -> Result<Self::Answer, Fault> {
        let calls: Vec<_> = self.0.iter().flat_map(Small::calls).collect();
        let mut answers = node.batch(&calls).await?;
        let mut all = Vec::new();
        for small in self.0 {
            let said = (0..small.count()).map(|_| answers.raw()).collect::<Result<Vec<_>, Fault>>()?;
            all.push(small.read(said).map_err(|fault| Fault { cause: node.quote(&fault.cause), ..fault }));
        }
        // Where it answers nobody, another node is asked.
        match all.iter().all(Result::is_err) {
            true => match all.into_iter().next() {
                Some(Err(fault)) => Err(fault),
                _ => Ok(Vec::new()),
            },
            false => Ok(all),
        }
    }
}
