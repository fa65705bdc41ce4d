//! The way of one call: ask, get the 402, sign in, pay, show the proof. Everything that the visitor is asked on it is asked once (B9).

use std::{cell::RefCell, pin::pin};

use futures::{
    channel::oneshot,
    future::{Either, select},
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    authorization,
    follow::{self, Watch, follow, send, show, watch},
    page, payment,
    pending::Pending,
    request::{self, Answer, Recipe},
    storage, waiting,
};
use crate::{
    browser::{self, http, lock},
    error::{CallError, Code, Retry},
    evm::Address,
    money::{Amount, Asset, Money},
    network::Network,
    session::SessionView,
    wallet::{self, Wallet, chain, fault::Asked, patience, provider::Connection, sign_in, signing},
    x402::{
        phase::{Call, Means, PayWith, Phase},
        wire::{Offer, PaymentRequired},
    },
};

/// Between all tabs of this site: of one call, one offer and one wallet question at a time. Another call has its own turn: a question that nobody
/// answers keeps nobody from asking about something else, and the wallet shows them one after the other.
const LOCK: &str = "coinslot.pay";
/// A lock that is not there by then is held by somebody who waits for a person.
const LOCK_SOON_MS: u64 = 200;

const ELSEWHERE: &str = "This very call is being paid for, perhaps in another tab. Finish there; this one goes on by itself.";
const UNREMEMBERED: &str =
    "This browser does not let the page remember your payment. Keep the transaction's hash until the answer is here.";
const UNREMEMBERED_SIGNATURE: &str =
    "This browser does not let the page remember your payment. Keep this page open until the answer is here.";

/// Asks, pays where it has to, and gives the server's last answer: a result or, in its own words, why there is none. `call` says meanwhile where it
/// is, and at the end what it ended in.
///
/// # Errors
/// What happened in the browser: no wallet, a refusal, no connection. Nothing was paid, unless a hash is in the error.
pub async fn call(recipe: Recipe, call: Call) -> Result<Answer, CallError> {
    let Some(wallet) = wallet::of_page() else { return Err(Code::NoWallet.into()) };
    call.phase.set(Phase::Asking);
    call.run.set(None);
    call.quote.set(None);
    call.note.set(None);
    call.transaction_url.set(None);
    call.means.set(match call.pay_with.get_untracked() {
        PayWith::Wallet => Means::Transfer,
        PayWith::Credit => Means::Credit,
    });
    let outcome = run(wallet, &recipe, call).await;
    conclude(wallet, call, &outcome);
    outcome
}

/// Shows what it ended in, and asks the server what stands to the visitor's credit now.
pub fn conclude(wallet: Wallet, call: Call, outcome: &Result<Answer, CallError>) {
    let failure = match outcome {
        Ok(answer) => answer.failure(),
        Err(error) => Some(error.clone()),
    };
    let hash = call.phase.with_untracked(Phase::transaction);
    match failure {
        None => {
            call.note.set(None);
            call.phase.set(Phase::Done);
        }
        // The question is on the page: the same way of paying, once it is answered.
        Some(error) if error.code == Code::PriceChanged => return,
        Some(mut error) => {
            error.transaction = error.transaction.or(hash);
            let error = waiting::in_full(error, call.means.get_untracked());
            // Nothing to come back to where nothing was paid.
            if hash.is_none() && error.retry != Retry::SamePayment {
                page::untrack(call);
            }
            let stays = |note: &str| note == UNREMEMBERED || note == UNREMEMBERED_SIGNATURE;
            if !call.note.with_untracked(|note| note.as_deref().is_some_and(stays)) {
                call.note.set(None);
            }
            call.phase.set(Phase::Failed(error));
        }
    }
    call.pay_with.set(PayWith::Wallet);
    call.ask_again.set(false);
    wallet.refresh();
}

async fn run(wallet: Wallet, recipe: &Recipe, call: Call) -> Result<Answer, CallError> {
    // Paid for before, and still without its answer: the same request is the same run.
    if let Some(payer) = wallet.signed_in_now()
        && let Some(paid) = storage::paid(payer, recipe)
    {
        return follow(wallet, payer, recipe, paid, call).await;
    }
    let declined = DECLINED.take().filter(|(declined, _)| declined == recipe);
    let required = match declined {
        Some((_, required)) => required,
        None => {
            let answer = send(recipe, None, false).await?;
            if answer.status != 402 || recipe.only_asks() {
                return Ok(answer);
            }
            answer.offers()?
        }
    };
    let twin = wallet.signed_in_now().is_some_and(|payer| storage::asked(payer, recipe));
    let (turn, waited) = turn(recipe, call).await;
    let buyer = Buyer { wallet, recipe, call, stood_aside: twin && waited };
    let buying = async {
        match call.pay_with.get_untracked() {
            PayWith::Wallet => buyer.by_wallet(required).await,
            PayWith::Credit => buyer.by_credit(required).await,
        }
    };
    let mut turn = Some(turn);
    let bought = match select(pin!(buying), pin!(patience::silence())).await {
        Either::Left((bought, _)) => bought,
        // A wallet that does not answer here keeps no other tab waiting.
        Either::Right((_, buying)) => {
            turn.take();
            buying.await
        }
    };
    drop(turn);
    let (payer, entry, _watch) = bought?;
    follow(wallet, payer, recipe, entry, call).await
}

/// Waits for its turn among all tabs, and says so if somebody else has it. `true`: somebody else had.
async fn turn(recipe: &Recipe, call: Call) -> (lock::Held, bool) {
    let name = format!("{LOCK}:{}:{:016x}", recipe.path, request::fingerprint(&recipe.body));
    let turn = pin!(lock::hold(&name));
    let soon = pin!(browser::sleep(LOCK_SOON_MS));
    match select(turn, soon).await {
        Either::Left((turn, _)) => (turn, false),
        Either::Right((_, turn)) => {
            call.note.set(Some(ELSEWHERE.into()));
            let turn = turn.await;
            call.note.set(None);
            (turn, true)
        }
    }
}

/// Who pays, with what, and the server's watch for as long as the payment is open.
type Bought = (Address, Pending, Option<Watch>);

/// An offer as it is being taken.
struct Deal {
    required: PaymentRequired,
    offer: Offer,
    price: Money,
    expires_at_ms: i64,
}

struct Buyer<'a> {
    wallet: Wallet,
    recipe: &'a Recipe,
    call: Call,
    /// Another tab was asking the wallet for exactly this call: what came of it there, it is not asked again here.
    stood_aside: bool,
}

impl Buyer<'_> {
    fn asking(&self, asked: Asked) {
        show(
            self.call,
            match asked {
                Asked::Connect => Phase::Connecting,
                Asked::SignIn => Phase::SigningIn,
                Asked::SwitchNetwork => Phase::SwitchingNetwork,
                Asked::Pay | Asked::Authorize | Asked::Read => Phase::Asking,
            },
        );
    }

    /// Reads the offers; asks about another price than the one shown (B10).
    fn deal<'n>(
        &self,
        required: PaymentRequired,
        networks: &'n [Network],
        wanted: Option<&Asset>,
        agreed: Option<&str>,
    ) -> Result<(Deal, &'n Network), CallError> {
        let with = self.call.pay_with.get_untracked();
        if let (Some(wanted), Some(_)) = (wanted, agreed) {
            payment::is_offered_on(&required, networks, wanted)?;
        }
        let (offer, network, price) = payment::choose(&required, networks, with, wanted)?;
        if !payment::same_price(agreed, &price) {
            let old = agreed.unwrap_or_default().to_owned();
            self.call.phase.set(Phase::PriceChanged { old, new: price });
            return Err(Code::PriceChanged.into());
        }
        let expires_at_ms = payment::expires_at_ms(&offer, browser::now_ms());
        Ok((Deal { required, offer, price, expires_at_ms }, network))
    }

    /// The same deal, with another offer where this one is about to end (B11).
    async fn fresh(&self, deal: Deal, networks: &[Network]) -> Result<Deal, CallError> {
        if !payment::too_short(deal.expires_at_ms, browser::now_ms()) {
            return Ok(deal);
        }
        let renewed = send(self.recipe, None, false).await?.offers()?;
        let agreed = deal.price.to_string();
        self.deal(renewed, networks, Some(&deal.price.asset), Some(&agreed)).map(|(deal, _)| deal)
    }

    /// A reload, another tab or an error may have left a question open in the wallet, and whoever confirms it pays (C5, A5): another one only if
    /// the visitor says so.
    fn not_asked_yet(&self, connection: &Connection, payer: Address) -> Result<(), CallError> {
        if self.call.ask_again.get_untracked() || !storage::asked(payer, self.recipe) {
            return Ok(());
        }
        Err(still_asking(connection))
    }

    /// What another tab has paid for meanwhile, or the reason not to pay again.
    fn paid_elsewhere(&self, payer: Address) -> Result<Option<Pending>, CallError> {
        let paid = storage::paid(payer, self.recipe);
        if paid.is_none() && self.stood_aside {
            return Err(CallError::saying(
                Code::PaymentCancelled,
                "Another tab has asked your wallet about this call, so this one did not. Nothing was charged here.",
            ));
        }
        Ok(paid)
    }

    async fn by_wallet(self, required: PaymentRequired) -> Result<Bought, CallError> {
        let networks = networks().await?;
        let agreed = self.call.shown_price.get_untracked();
        let wanted = self.call.asset.get_untracked();
        let (mut deal, network) = self.deal(required, &networks, wanted.as_ref(), agreed.as_deref())?;
        let asking = |asked| self.asking(asked);

        let (connection, payer) = sign_in::signed_in(self.wallet, &asking).await?;
        self.not_asked_yet(&connection, payer)?;
        if let Some(paid) = self.paid_elsewhere(payer)? {
            return Ok((payer, paid, None));
        }
        chain::be_on(&connection, network, &asking).await?;
        show(self.call, Phase::Asking);
        deal = self.fresh(deal, &networks).await?;
        let required = deal.required.clone();
        let asked = match deal.price.asset.token {
            None => self.by_transfer(&connection, network, payer, deal, &networks).await,
            Some(token) => {
                let signed = self.by_authorization(&connection, network, payer, token, deal).await;
                signed.map(|entry| (payer, entry, None))
            }
        };
        if asked.as_ref().is_err_and(waiting::is_refusal) {
            DECLINED.set(Some((self.recipe.clone(), required)));
        }
        asked
    }

    /// The visitor's wallet sends the price.
    async fn by_transfer(
        &self,
        connection: &Connection,
        network: &Network,
        payer: Address,
        mut deal: Deal,
        networks: &[Network],
    ) -> Result<Bought, CallError> {
        let mut transfer = chain::prepare(connection, network, payer, deal.offer.pay_to, &deal.price).await?;
        let watch = self.watched(network, payer, deal.price.amount).await?;
        if payment::too_short(deal.expires_at_ms, browser::now_ms()) {
            deal = self.fresh(deal, networks).await?;
            transfer = chain::prepare(connection, network, payer, deal.offer.pay_to, &deal.price).await?;
        }
        chain::unchanged(connection, network, payer).await?;
        let entry = self.ask_wallet(connection, network, &deal, transfer, &watch).await?;
        Ok((payer, entry, Some(watch)))
    }

    /// The visitor's wallet signs, and the shop sends it. Nothing is watched for: a signature that gets lost on the way moves nothing, and one that
    /// was given is stored before anything else is awaited (B13).
    async fn by_authorization(
        &self,
        connection: &Connection,
        network: &Network,
        payer: Address,
        token: Address,
        deal: Deal,
    ) -> Result<Pending, CallError> {
        signing::prepare(connection, network, token, payer, &deal.price).await?;
        let nonce = browser::random_bytes().ok_or(Code::Internal)?;
        let authorization = authorization::of_offer(&deal.offer, payer, nonce, deal.expires_at_ms);
        let typed_data = authorization::typed_data(&deal.offer, &authorization).ok_or(Code::PaymentInvalid)?;
        chain::unchanged(connection, network, payer).await?;

        let quote = payment::quote(&deal.offer, network, &deal.price, None, deal.expires_at_ms);
        page::track(self.recipe, self.call);
        self.call.means.set(Means::Authorization);
        self.call.quote.set(Some(quote.clone()));
        self.call.phase.set(Phase::InWallet(quote));
        let signature = signing::sign(connection, network, payer, &typed_data).await?;

        let mut entry = Pending::of(self.recipe, &network.id, browser::now_ms());
        entry.payment = Some(payment::by_authorization(&deal.required, &deal.offer, authorization, signature));
        if !storage::put(payer, entry.clone()) {
            self.call.note.set(Some(UNREMEMBERED_SIGNATURE.into()));
        }
        self.call.phase.set(Phase::Signed);
        Ok(entry)
    }

    /// The server watches for `payer` from now on; signs in again where the page believed in a session that has ended.
    async fn watched(&self, network: &Network, payer: Address, amount: Amount) -> Result<Watch, CallError> {
        let watching = match watch(&network.id, self.recipe, amount).await {
            Err(error) if error.code.status() == 401 => {
                self.wallet.session.set(Some(SessionView::default()));
                let (_, again) = sign_in::signed_in(self.wallet, &|asked| self.asking(asked)).await?;
                if again != payer {
                    return Err(Code::AccountChanged.into());
                }
                show(self.call, Phase::Asking);
                watch(&network.id, self.recipe, amount).await
            }
            watching => watching,
        };
        watching.map_err(|error| CallError {
            error: format!(
                "The shop cannot watch for your payment now, so your wallet was not asked. Nothing was charged. ({error})"
            ),
            ..error
        })
    }

    /// The one question that moves money. What it gives is stored before anything else is awaited (B13), also where nobody waits for it any more.
    async fn ask_wallet(
        &self,
        connection: &Connection,
        network: &Network,
        deal: &Deal,
        transfer: chain::Transfer,
        watch: &Watch,
    ) -> Result<Pending, CallError> {
        let payer = transfer.from;
        let quote = payment::quote(&deal.offer, network, &deal.price, Some(&transfer.fee), deal.expires_at_ms);
        let mut entry = Pending::of(self.recipe, &network.id, browser::now_ms());
        entry.watch = Some(watch.id.clone());
        // A reload finds out that a question is open. If that cannot be kept, the server's watch still finds the payment.
        let _ = storage::put(payer, entry.clone());
        page::track(self.recipe, self.call);
        self.call.quote.set(Some(quote.clone()));
        self.call.phase.set(Phase::InWallet(quote));
        let (tell, told) = oneshot::channel();
        let (wallet, connection_of, network) = (self.wallet, connection.clone(), network.clone());
        let (recipe, required, offer) = (self.recipe.clone(), deal.required.clone(), deal.offer.clone());
        let watch = watch.id.clone();
        spawn_local(async move {
            let answer = chain::pay(&connection_of, &network, &transfer).await;
            let question = entry.clone();
            let kept = answer.map(|hash| {
                entry.payment = Some(payment::by_transaction(&required, &offer, hash, payer));
                entry.transaction = Some(hash);
                let is_remembered = storage::put(payer, entry.clone());
                (hash, entry, is_remembered)
            });
            if kept.as_ref().is_err_and(waiting::is_refusal) {
                follow::end_watch(watch);
                // What another question about this call was answered with stays.
                if storage::paid(payer, &recipe).is_none() {
                    page::drop_question(payer, &question);
                }
            }
            if tell.send(kept).is_err() {
                // Nobody waited for it: the page takes it up as it does after a reload.
                page::answered(&question);
                page::resume(wallet);
            }
        });
        let answer = patience::patiently(told).await.and_then(Result::ok).unwrap_or_else(|| Err(still_asking(connection)));
        let (hash, entry, is_remembered) = answer.map_err(waiting::after_asking)?;
        if !is_remembered {
            self.call.note.set(Some(UNREMEMBERED.into()));
        }
        self.call.phase.set(Phase::Sent(hash));
        Ok(entry)
    }

    /// No wallet window, unless nobody is signed in.
    async fn by_credit(self, required: PaymentRequired) -> Result<Bought, CallError> {
        let networks = networks().await?;
        let agreed = self.call.shown_price.get_untracked();
        let wanted = self.call.asset.get_untracked().or_else(|| {
            let session = self.wallet.session.get_untracked().unwrap_or_default();
            payment::covering(&required, &networks, &session.credit)
        });
        let (deal, network) = self.deal(required, &networks, wanted.as_ref(), agreed.as_deref())?;
        let payer = match self.wallet.signed_in_now() {
            Some(payer) => payer,
            None => sign_in::signed_in(self.wallet, &|asked| self.asking(asked)).await?.1,
        };
        if let Some(paid) = self.paid_elsewhere(payer)? {
            return Ok((payer, paid, None));
        }
        show(self.call, Phase::Asking);
        let random = browser::random_bytes().ok_or(Code::Internal)?;
        let mut entry = Pending::of(self.recipe, &network.id, browser::now_ms());
        entry.payment = Some(payment::by_credit(&deal.required, &deal.offer, random));
        // Before it is sent: whatever happens to this page, the same payload is the same run.
        let _ = storage::put(payer, entry.clone());
        Ok((payer, entry, None))
    }
}

fn still_asking(connection: &Connection) -> CallError {
    CallError::saying(
        Code::AlreadyAsked,
        format!(
            "Open {}: a request is waiting there. If you confirm it, the payment is found by itself; a second one would be your credit.",
            connection.name
        ),
    )
}

thread_local! {
    /// What the wallet's question offered when it was refused: the same button takes the same offer again (B7), renewed where it ended (B11).
    static DECLINED: RefCell<Option<(Recipe, PaymentRequired)>> = const { RefCell::new(None) };
    static NETWORKS: RefCell<Vec<Network>> = const { RefCell::new(Vec::new()) };
}

/// The networks that the shop sells on, as every page knows them. Asked for once.
///
/// # Errors
/// The shop cannot be reached.
pub async fn networks() -> Result<Vec<Network>, CallError> {
    /// Of the shop's terms, what a payment needs.
    #[derive(serde::Deserialize)]
    struct Terms {
        networks: Vec<Network>,
    }
    let known = NETWORKS.with_borrow(Vec::clone);
    if !known.is_empty() {
        return Ok(known);
    }
    let terms: Terms =
        serde_json::from_slice(http::json("GET", "/api/page/shop", None).await?.as_bytes()).map_err(sign_in::unreadable)?;
    NETWORKS.set(terms.networks.clone());
    Ok(terms.networks)
}
