//! Which wallets this browser has (EIP-6963, else `window.ethereum`), which one is used, and what it tells by itself.

use std::cell::{Cell, RefCell};

use futures::channel::oneshot;
use js_sys::Reflect;
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::prelude::*;
use web_sys::{CustomEvent, Event};

use super::{
    Found, Wallet, WalletInfo, announced_info, patience,
    provider::{Connection, Provider, first_address},
    sign_in,
};
use crate::{
    browser::{self, memory},
    error::Code,
    evm::Address,
};

/// How long wallets have to announce themselves before the page says that there is none (A1).
const PATIENCE_MS: u64 = 300;
/// Under what key the chosen wallet's `rdns` is remembered (A2).
const CHOICE: &str = "coinslot.wallet";
/// The `rdns` of a wallet that only sets `window.ethereum`.
const LEGACY: &str = "window.ethereum";

thread_local! {
    static CONNECTIONS: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
    /// Looking is over: from now on a lone newcomer is taken at once.
    static LOOKED: Cell<bool> = const { Cell::new(false) };
    /// Whoever waits for the picker.
    static PICK: RefCell<Option<oneshot::Sender<String>>> = const { RefCell::new(None) };
}

pub fn discover(wallet: Wallet) {
    Effect::new(move |begun: Option<()>| {
        if begun.is_none() {
            look(wallet);
            wallet.refresh();
            look_again_when_back(wallet);
        }
    });
}

/// A page that comes back from the browser's cache is as it was when it was left, whoever has signed out or changed accounts since (P6).
fn look_again_when_back(wallet: Wallet) {
    let Some(window) = web_sys::window() else { return };
    let shown = Closure::<dyn Fn(Event)>::new(move |event: Event| {
        let is_back = Reflect::get(&event, &"persisted".into()).is_ok_and(|persisted| persisted.is_truthy());
        if !is_back {
            return;
        }
        wallet.refresh();
        if let Some(connection) = wallet.chosen.get_untracked().and_then(|rdns| connection(&rdns)) {
            spawn_local(async move {
                if let Ok(Some(account)) = connection.account().await
                    && in_use(wallet, &connection.rdns)
                {
                    account_changed(wallet, Some(account));
                }
            });
        }
    });
    let _ = window.add_event_listener_with_callback("pageshow", shown.as_ref().unchecked_ref());
    shown.forget();
}

fn look(wallet: Wallet) {
    let Some(window) = web_sys::window() else { return };
    let heard = Closure::<dyn Fn(CustomEvent)>::new(move |event: CustomEvent| announced(wallet, &event.detail()));
    let _ = window.add_event_listener_with_callback("eip6963:announceProvider", heard.as_ref().unchecked_ref());
    heard.forget();
    if let Ok(event) = Event::new("eip6963:requestProvider") {
        let _ = window.dispatch_event(&event);
    }
    spawn_local(async move {
        browser::sleep(PATIENCE_MS).await;
        LOOKED.set(true);
        settle(wallet);
    });
}

/// What was announced in time is what there is.
fn settle(wallet: Wallet) {
    if names().is_empty()
        && let Some(provider) = legacy()
    {
        let info = WalletInfo { rdns: LEGACY.into(), name: "Browser wallet".into(), icon: String::new() };
        add(wallet, info, provider);
    }
    match names().as_slice() {
        [] => wallet.found.set(Found::Nothing),
        [only] if wallet.chosen.get_untracked().is_none() => choose(wallet, only.clone()),
        _ => {}
    }
}

fn legacy() -> Option<Provider> {
    let window = web_sys::window()?;
    let found = Reflect::get(&window, &"ethereum".into()).ok()?;
    found.is_object().then(|| found.unchecked_into())
}

fn announced(wallet: Wallet, detail: &JsValue) {
    let field = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let info = field(detail, "info");
    let text = |name: &str| field(&info, name).as_string().unwrap_or_default();
    let provider = field(detail, "provider");
    if let Some(info) = announced_info(text("rdns"), text("name"), text("icon"))
        && provider.is_object()
    {
        add(wallet, info, provider.unchecked_into());
    }
}

/// Wallets announce themselves again whenever anybody asks: the first announcement stands.
fn add(wallet: Wallet, info: WalletInfo, provider: Provider) {
    if names().contains(&info.rdns) {
        return;
    }
    let connection = Connection { name: info.name.clone(), rdns: info.rdns.clone(), provider };
    CONNECTIONS.with_borrow_mut(|all| all.push(connection));
    let rdns = info.rdns.clone();
    wallet.found.update(|found| match found {
        Found::Wallets(all) => all.push(info),
        Found::Looking | Found::Nothing => *found = Found::Wallets(vec![info]),
    });
    let chosen = wallet.chosen.get_untracked();
    let remembered = memory::recall(CHOICE).is_some_and(|choice| choice == rdns);
    let alone = LOOKED.get() && chosen.is_none() && names().len() == 1;
    if remembered && chosen.as_ref() != Some(&rdns) || alone {
        choose(wallet, rdns);
    }
}

fn names() -> Vec<String> {
    CONNECTIONS.with_borrow(|all| all.iter().map(|connection| connection.rdns.clone()).collect())
}

fn connection(rdns: &str) -> Option<Connection> {
    CONNECTIONS.with_borrow(|all| all.iter().find(|connection| connection.rdns == rdns).cloned())
}

/// Uses it from now on, and looks, silently, whether it knows us (A3).
fn choose(wallet: Wallet, rdns: String) {
    wallet.chosen.set(Some(rdns.clone()));
    let Some(connection) = connection(&rdns) else { return };
    listen(wallet, &connection);
    spawn_local(async move {
        if let Ok(Some(account)) = connection.account().await
            && in_use(wallet, &connection.rdns)
        {
            wallet.account.set(Some(account));
        }
    });
}

fn in_use(wallet: Wallet, rdns: &str) -> bool {
    wallet.chosen.get_untracked().as_deref() == Some(rdns)
}

/// Choosing the same wallet twice listens twice: what is heard is a state, so hearing it again changes nothing.
fn listen(wallet: Wallet, connection: &Connection) {
    let rdns = connection.rdns.clone();
    connection.listen("accountsChanged", move |accounts| {
        if in_use(wallet, &rdns) {
            account_changed(wallet, first_address(&accounts));
            patience::wake();
        }
    });
    connection.listen("chainChanged", |_| patience::wake());
    let rdns = connection.rdns.clone();
    connection.listen("disconnect", move |_| {
        if in_use(wallet, &rdns) {
            wallet.trouble.set(Some(Code::WalletDisconnected.into()));
        }
    });
    let rdns = connection.rdns.clone();
    connection.listen("connect", move |_| {
        if in_use(wallet, &rdns) {
            wallet.trouble.update(|trouble| {
                trouble.take_if(|trouble| trouble.code == Code::WalletDisconnected);
            });
        }
    });
}

/// A7: no account left means signed out; another account does not use the session of the first.
fn account_changed(wallet: Wallet, account: Option<Address>) {
    if wallet.account.get_untracked() == account {
        return;
    }
    wallet.account.set(account);
    if account.is_none() && wallet.session.get_untracked().is_some_and(|session| session.address.is_some()) {
        spawn_local(sign_in::end(wallet));
    }
}

/// The wallet in use. With several and no choice yet, the picker opens and this waits for it.
///
/// # Errors
/// [`Code::NoWallet`]; [`Code::Cancelled`] if the picker was closed.
pub async fn in_hand(wallet: Wallet) -> Result<Connection, Code> {
    if !LOOKED.get() {
        // The first wallet to announce itself may not be the only one.
        browser::sleep(PATIENCE_MS).await;
    }
    settle(wallet);
    let rdns = match wallet.chosen.get_untracked() {
        Some(rdns) => rdns,
        None if names().is_empty() => return Err(Code::NoWallet),
        None => picked(wallet).await?,
    };
    connection(&rdns).ok_or(Code::NoWallet)
}

async fn picked(wallet: Wallet) -> Result<String, Code> {
    let (pick, chosen) = oneshot::channel();
    PICK.set(Some(pick));
    wallet.picking.set(true);
    chosen.await.map_err(|_| Code::Cancelled)
}

pub fn pick(wallet: Wallet, rdns: String) {
    // If it cannot be remembered, it is asked again the next time.
    let _ = memory::remember(CHOICE, &rdns);
    choose(wallet, rdns.clone());
    if let Some(waiting) = PICK.take() {
        let _ = waiting.send(rdns);
    }
    wallet.picking.set(false);
}

/// The picker was closed without a choice: whoever waits is told by the end of the channel.
pub fn put_away(wallet: Wallet) {
    PICK.take();
    wallet.picking.set(false);
}

/// Where there are several wallets, the next sign-in may take another one.
pub fn forget_choice(wallet: Wallet) {
    memory::forget(CHOICE);
    wallet.account.set(None);
    if names().len() > 1 {
        wallet.chosen.set(None);
    }
}
