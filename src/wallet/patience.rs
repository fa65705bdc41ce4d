//! Waiting for a wallet that may never answer: a window that was closed, an extension that was updated, a promise that somebody forgot.
//!
//! Nothing is given up by itself, since people take their time. But after a while the page's buttons work again ([`super::Wallet::overdue`]); a
//! click then lets go of what is waited for, and asks anew. What the wallet tells by itself (`accountsChanged`, `chainChanged`) wakes who waits:
//! it may be the answer, whose promise was lost.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
};

use futures::{
    channel::oneshot,
    future::{Either, select},
};
use leptos::{prelude::*, task::spawn_local};

use super::of_page;
use crate::browser;

/// After this, a wallet is called silent.
const LONG_MS: u64 = 10_000;
/// After the wallet told something by itself, what it was asked has this long to be answered too.
const SOON_MS: u64 = 1_000;
/// Between two looks at a wallet that tells nothing by itself.
const LOOK_MS: u64 = 2_000;

/// Something that a wallet was asked.
struct Open {
    number: u64,
    is_overdue: bool,
    let_go: oneshot::Sender<()>,
}

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
    static NUMBER: Cell<u64> = const { Cell::new(0) };
    /// Who waits for a word of the wallet, and who for its silence.
    static LISTENING: Waiting = const { RefCell::new(Vec::new()) };
    static SILENCE: Waiting = const { RefCell::new(Vec::new()) };
}

/// `None`: the visitor did not want to wait any longer.
pub async fn patiently<T>(answer: impl Future<Output = T>) -> Option<T> {
    let (let_go, gone) = oneshot::channel();
    let number = NUMBER.get();
    NUMBER.set(number + 1);
    OPEN.with_borrow_mut(|open| open.push(Open { number, is_overdue: false, let_go }));
    // However it ends, it is not waited for any more.
    let _closed = Closes(number);
    overdue_after(LONG_MS, number..number + 1);
    match select(pin!(answer), gone).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

struct Closes(u64);

impl Drop for Closes {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|open| open.retain(|known| known.number != self.0));
        tell();
    }
}

/// Of the questions with these numbers, those that are still open then.
fn overdue_after(pause_ms: u64, numbers: std::ops::Range<u64>) {
    spawn_local(async move {
        browser::sleep(pause_ms).await;
        OPEN.with_borrow_mut(|open| {
            open.iter_mut().filter(|known| numbers.contains(&known.number)).for_each(|known| known.is_overdue = true);
        });
        tell();
    });
}

/// Says on the page whether a wallet is silent.
fn tell() {
    let is_overdue = OPEN.with_borrow(|open| open.iter().any(|known| known.is_overdue));
    if is_overdue {
        all_told(SILENCE.take());
    }
    if let Some(wallet) = of_page()
        && wallet.overdue.get_untracked() != is_overdue
    {
        wallet.overdue.set(is_overdue);
    }
}

type Waiting = RefCell<Vec<oneshot::Sender<()>>>;

/// Told once, and only if it is still waited for.
fn told_of(list: &'static std::thread::LocalKey<Waiting>) -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    list.with_borrow_mut(|all| {
        all.retain(|waiting| !waiting.is_canceled());
        all.push(tell);
    });
    told
}

fn all_told(waiting: Vec<oneshot::Sender<()>>) {
    for told in waiting {
        // Nobody waits any more: that is fine.
        let _ = told.send(());
    }
}

/// Ends when a wallet has been silent for long.
pub async fn silence() {
    // Whoever is told nothing any more is told so by the end of the channel: there is no page then.
    let _ = told_of(&SILENCE).await;
}

/// Whoever waits for a silent wallet goes on without its answer.
pub fn let_go() {
    let overdue: Vec<Open> = OPEN.with_borrow_mut(|open| open.extract_if(.., |known| known.is_overdue).collect());
    all_told(overdue.into_iter().map(|known| known.let_go).collect());
    tell();
}

/// The wallet told something by itself.
pub fn wake() {
    all_told(LISTENING.take());
    overdue_after(SOON_MS, 0..NUMBER.get());
}

/// The answer or, where its promise got lost, what is `there` all the same.
pub async fn or_when<T>(answer: impl Future<Output = T>, there: impl AsyncFn() -> Option<T>) -> T {
    let mut answer = pin!(answer);
    loop {
        let pause = pin!(browser::sleep(LOOK_MS));
        let word = select(told_of(&LISTENING), pause);
        if let Either::Left((answer, _)) = select(answer.as_mut(), word).await {
            return answer;
        }
        match select(answer.as_mut(), pin!(there())).await {
            Either::Left((answer, _)) => return answer,
            Either::Right((Some(found), _)) => return found,
            Either::Right((None, _)) => {}
        }
    }
}
