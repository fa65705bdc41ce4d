//! A payment that exists is shown to the server, with the same request, until there is an answer or nothing more to wait for.

use std::{cell::Cell, rc::Rc};

use leptos::{prelude::*, task::spawn_local};

use super::{
    page, pay, payment,
    pending::Pending,
    request::{Answer, Recipe},
    storage,
    waiting::{self, Next},
};
use crate::{
    browser::{self, http},
    error::{CallError, Code},
    evm::{Address, TxHash},
    money::Amount,
    wallet::{Wallet, sign_in},
    x402::phase::{Call, Means, Phase},
};

/// One attempt, with or without a payment.
///
/// # Errors
/// [`Code::Offline`].
pub async fn send(recipe: &Recipe, payment: Option<&str>, only_wait: bool) -> Result<Answer, CallError> {
    let body = (!matches!(recipe.method.as_str(), "GET" | "HEAD")).then_some(recipe.body.as_str());
    let reply = http::fetch(&recipe.method, &recipe.path, &recipe.headers_with(payment, only_wait), body).await?;
    Ok(Answer { status: reply.status, headers: reply.headers, body: reply.body })
}

/// Repeats the request with the payment of `entry`. Never asks the wallet for anything.
///
/// # Errors
/// [`Code::Offline`] only where there is no payment in `entry`.
pub async fn follow(wallet: Wallet, payer: Address, recipe: &Recipe, entry: Pending, call: Call) -> Result<Answer, CallError> {
    let Some(payment) = entry.payment.clone() else { return Err(Code::Offline.into()) };
    page::track(recipe, call);
    let (means, asset) = payment::read_back(&payment);
    call.means.set(means);
    call.asset.set(asset);
    let mut transaction = entry.transaction;
    match transaction {
        Some(hash) => {
            show(call, Phase::Sent(hash));
            link(call, &entry.network, hash).await;
        }
        None if means == Means::Authorization => show(call, Phase::Signed),
        None => {}
    }
    // Said before, and still true while it waits: that this browser does not remember the payment.
    let mut standing = call.note.get_untracked();
    let began_ms = browser::now_ms();
    let (mut broken, mut only_wait) = (0, false);
    loop {
        let attempt = send(recipe, Some(&payment), only_wait).await;
        let (failure, settled) = note_run(call, &attempt);
        // The shop's own settlement is named as soon as it was sent; so is the payment that took the place of this one in its wallet.
        let is_sent_again = transaction.is_some() && means == Means::Transfer;
        let news = settled.filter(|hash| {
            transaction != Some(*hash) && (is_sent_again || means == Means::Authorization && transaction.is_none())
        });
        if let Some(hash) = news {
            transaction = Some(hash);
            if is_sent_again {
                standing.get_or_insert_with(|| waiting::SENT_AGAIN.to_owned());
            }
            link(call, &entry.network, hash).await;
        }
        broken = if failure == Some(Code::Internal) { broken + 1 } else { 0 };
        match waiting::next(&attempt, browser::now_ms() - began_ms, broken) {
            Next::Over => {
                storage::settle(payer, &recipe.path, &recipe.body);
                return attempt;
            }
            Next::Stuck { remember } => {
                if !remember {
                    storage::set_aside(payer, entry);
                }
                if failure.is_some_and(|code| code.status() == 401) {
                    // Has the session ended (C11)? Then signing in again goes on from here.
                    sign_in::refresh(wallet).await;
                }
                return attempt;
            }
            Next::Again { after_ms, stage, note } => {
                // The click has arrived once the server has said how far it is.
                only_wait |= stage.is_some();
                if let Some(stage) = stage {
                    show(call, waiting::phase(stage, transaction, means));
                }
                let note = note.map(str::to_owned).or_else(|| standing.clone());
                if call.note.with_untracked(|known| *known != note) {
                    call.note.set(note);
                }
                browser::sleep(after_ms).await;
            }
        }
    }
}

/// Where the explorer shows the transaction.
async fn link(call: Call, network: &str, hash: TxHash) {
    if let Ok(networks) = pay::networks().await {
        let network = networks.iter().find(|known| known.id == network);
        call.transaction_url.set(network.and_then(|network| network.transaction_url(hash)));
    }
}

/// The run's id, wherever the server named it; and the code and the transaction, if it is no result.
fn note_run(call: Call, attempt: &Result<Answer, CallError>) -> (Option<Code>, Option<TxHash>) {
    let answer = match attempt {
        Ok(answer) => answer,
        Err(error) => return (Some(error.code), None),
    };
    let failure = answer.failure();
    let run = answer.run().or_else(|| failure.as_ref()?.run.clone());
    if run.is_some() && call.run.with_untracked(|known| *known != run) {
        call.run.set(run);
    }
    match failure {
        Some(error) => (Some(error.code), error.transaction),
        None => (None, None),
    }
}

/// A phase that did not change is not announced again.
pub fn show(call: Call, phase: Phase) {
    if call.phase.with_untracked(|known| *known != phase) {
        call.phase.set(phase);
    }
}

/// A server's watch lasts 15 minutes; while a payment is open here it is renewed (B13).
const RENEW_MS: u64 = 5 * 60 * 1_000;

/// The server watches for this call's payment as long as this lives, and a while longer.
pub struct Watch {
    /// The server's; empty where it gave none.
    pub id: String,
    open: Rc<Cell<bool>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.open.set(false);
    }
}

/// Asks the server to watch for the signed-in wallet's payment of `amount` for this call, hash or no hash, and again while what it gives lives.
///
/// # Errors
/// The server's. Then no wallet may be opened: a payment whose hash gets lost would not be found.
pub async fn watch(network: &str, recipe: &Recipe, amount: Amount) -> Result<Watch, CallError> {
    #[derive(serde::Deserialize)]
    struct Opened {
        watch: String,
    }
    let answer = ask_to_watch(network, recipe, Some(amount), None).await?;
    let id = serde_json::from_slice(answer.as_bytes()).map_or_else(|_| String::new(), |Opened { watch }| watch);
    let open = Rc::new(Cell::new(true));
    let (still, network, recipe, known) = (open.clone(), network.to_owned(), recipe.clone(), id.clone());
    spawn_local(async move {
        loop {
            browser::sleep(RENEW_MS).await;
            if !still.get() {
                return;
            }
            // If this one fails, the first still holds for ten minutes, and the next comes before that.
            let _ = ask_to_watch(&network, &recipe, None, Some(&known)).await;
        }
    });
    Ok(Watch { id, open })
}

/// The server's answer. `known`: a watch that only is to last longer, if its payment has not come.
///
/// # Errors
/// The server's.
pub async fn ask_to_watch(
    network: &str,
    recipe: &Recipe,
    amount: Option<Amount>,
    known: Option<&str>,
) -> Result<String, CallError> {
    let body = serde_json::json!({
        "network": network, "agent": recipe.agent(), "input": recipe.body, "amount": amount, "watch": known,
    });
    http::json("POST", "/api/watch", Some(&body.to_string())).await
}

/// Nobody waits for what this watch is for: the wallet was told no. If it fails, the watch ends by itself.
pub fn end_watch(id: String) {
    spawn_local(async move { drop(http::json("DELETE", &watch_path(&id), None).await) });
}

/// Of one watch, its address: what the server names them by needs no escapes but for a slash and a colon, which a query may have.
pub fn watch_path(id: &str) -> String {
    format!("/api/watch?watch={id}")
}
