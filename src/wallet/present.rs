//! Where there is a browser: the page's one wallet, and what its buttons do.

use std::cell::RefCell;

use leptos::{prelude::*, task::spawn_local};

use super::{Wallet, discovery, patience, sign_in};
use crate::browser::{self, http, memory};

pub use discovery::{discover, pick, put_away};
pub use patience::let_go;
pub use sign_in::begin as sign_in;

thread_local! {
    static PAGE: RefCell<Option<(Owner, Wallet)>> = const { RefCell::new(None) };
}

/// Remembers the page's wallet and the owner it lives under, for what has no context: scripts, and calls that outlive their component.
pub fn keep(wallet: Wallet) {
    if let Some(owner) = Owner::current() {
        PAGE.set(Some((owner, wallet)));
    }
}

/// `None` before `App` has begun.
pub fn of_page() -> Option<Wallet> {
    PAGE.with_borrow(|page| page.as_ref().map(|(_, wallet)| *wallet))
}

/// Makes something (signals, mostly) that lives as long as the page, whatever component asked for it.
pub fn outlive<T>(make: impl FnOnce() -> T) -> T {
    match PAGE.with_borrow(|page| page.as_ref().map(|(owner, _)| owner.clone())) {
        Some(owner) => owner.with(make),
        None => make(),
    }
}

pub fn sign_out(wallet: Wallet) {
    if let Some(address) = wallet.session.get_untracked().and_then(|session| session.address) {
        memory::forget(&super::memory_key(address));
    }
    discovery::forget_choice(wallet);
    spawn_local(sign_in::end(wallet));
}

pub fn refresh(wallet: Wallet) {
    spawn_local(sign_in::refresh(wallet));
}

pub fn ask_faucet(wallet: Wallet, path: String, told: RwSignal<Option<String>>) {
    let Some(address) = wallet.account.get_untracked().or(wallet.signed_in_now()) else {
        told.set(Some("Connect your wallet first.".into()));
        return;
    };
    spawn_local(async move {
        let sent = http::json("POST", &path, Some(&format!(r#"{{"address":"{address}"}}"#))).await;
        let words = match sent {
            Ok(_) => "Test coins are in your wallet. Run it again.".to_owned(),
            Err(error) => error.error,
        };
        told.try_set(Some(words));
    });
}

pub fn get_wallet_url() -> String {
    let (host, _) = browser::host_and_origin().unwrap_or_default();
    super::metamask_url(&browser::user_agent(), &host, &browser::path())
}
