//! The browser's wallet: discovery (EIP-6963), requests (EIP-1193), networks, sending.
//!
//! The signals are on both sides, so that pages render on the server; what acts is the browser's.

pub mod picker;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{error::CallError, evm::Address, session::SessionView};

/// A wallet as it announces itself (EIP-6963).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletInfo {
    /// Reverse domain name: `io.metamask`. The remembered choice.
    pub rdns: String,
    pub name: String,
    /// A `data:` URI, or empty: anything else was dropped. Only ever an `<img>`'s source.
    pub icon: String,
}

/// What this browser has (A1, A2).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Found {
    /// Not looked yet: the server's view, and the first 300 ms.
    #[default]
    Looking,
    Nothing,
    Wallets(Vec<WalletInfo>),
}

/// The wallet and who is signed in with it: one per page, in its context.
#[derive(Clone, Copy)]
pub struct Wallet {
    pub found: RwSignal<Found>,
    /// The remembered or only wallet's `rdns`.
    pub chosen: RwSignal<Option<String>>,
    /// The picker is open: several wallets, none chosen.
    pub picking: RwSignal<bool>,
    /// What `eth_accounts` says, after a silent look.
    pub account: RwSignal<Option<Address>>,
    /// What the server says. `None`: not asked yet.
    pub session: RwSignal<Option<SessionView>>,
    /// What is wrong with the wallet, for the banner (A5, A8), or the last connect or sign-in that did not work (A4).
    pub trouble: RwSignal<Option<CallError>>,
    /// Connecting or signing in.
    pub busy: RwSignal<bool>,
}

impl Wallet {
    /// Made once, in `App`; puts itself into the context.
    pub fn provide() -> Self {
        let wallet = Self {
            found: RwSignal::default(),
            chosen: RwSignal::default(),
            picking: RwSignal::new(false),
            account: RwSignal::default(),
            session: RwSignal::default(),
            trouble: RwSignal::default(),
            busy: RwSignal::new(false),
        };
        provide_context(wallet);
        wallet
    }

    /// The one of this page.
    pub fn get() -> Self {
        expect_context()
    }

    /// Looks for wallets and follows their events (an effect: nothing happens on the server). Never opens a wallet window (A3).
    pub fn discover(self) {}

    /// Takes the wallet that the visitor picked and goes on with what was asked for.
    pub fn pick(self, _rdns: String) {}

    /// A click on "Connect": connects and signs in.
    pub fn sign_in(self) {}

    pub fn sign_out(self) {}

    /// Reads the session again: credit, runs under way, arrivals.
    pub fn refresh(self) {}

    /// Who is signed in *and* is the wallet's account: another account's session is not used (A7).
    pub fn signed_in(self) -> Option<Address> {
        let session = self.session.get()?.address?;
        match self.account.get() {
            Some(account) if account != session => None,
            _ => Some(session),
        }
    }
}

/// Where "Get MetaMask" leads (A1): on a phone the wallet's own browser opens this page.
pub fn get_wallet_url() -> String {
    "https://metamask.io/download/".into()
}
