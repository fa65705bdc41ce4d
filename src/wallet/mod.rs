//! The browser's wallet: discovery (EIP-6963), requests (EIP-1193), networks, sending.
//!
//! The signals are on both sides, so that pages render on the server; what acts is the browser's. It knows no payment and no page: `x402::fetch`
//! asks it for a signed-in account, the right network and a transfer.
//!
//! - `fault`: what a wallet's error means. `funds`: who can pay, and the transaction's fields. Both pure.
//! - `provider`: EIP-1193. `discovery`: EIP-6963, the choice, events. `sign_in`: EIP-4361. `chain`: network, costs, transfer.
//!   `signing`: a payment that is a signature. `patience`: what becomes of a question that nobody answers. The browser's.
//! - `picker`: several wallets, one question.
//! - `present`, `absent`: what a click does with a browser, and without.

pub mod fault;
pub mod funds;
pub mod picker;

#[cfg(feature = "hydrate")]
pub mod chain;
#[cfg(feature = "hydrate")]
mod discovery;
#[cfg(feature = "hydrate")]
pub mod patience;
#[cfg(feature = "hydrate")]
pub mod provider;
#[cfg(feature = "hydrate")]
pub mod sign_in;
#[cfg(feature = "hydrate")]
pub mod signing;

#[cfg(not(feature = "hydrate"))]
mod absent;
#[cfg(feature = "hydrate")]
mod present;

#[cfg(not(feature = "hydrate"))]
use absent as side;
#[cfg(feature = "hydrate")]
use present as side;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{error::CallError, evm::Address, session::SessionView};

#[cfg(feature = "hydrate")]
pub use present::{of_page, outlive};

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
    /// The wallet was asked something and has been silent for long: a click may let go of it, and ask again (P6).
    pub overdue: RwSignal<bool>,
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
            overdue: RwSignal::new(false),
        };
        provide_context(wallet);
        side::keep(wallet);
        wallet
    }

    /// The one of this page.
    pub fn get() -> Self {
        expect_context()
    }

    /// Looks for wallets and follows their events (an effect: nothing happens on the server). Never opens a wallet window (A3).
    pub fn discover(self) {
        side::discover(self);
    }

    /// Takes the wallet that the visitor picked and goes on with what was asked for.
    pub fn pick(self, rdns: String) {
        side::pick(self, rdns);
    }

    /// Closes the picker without a choice: what was asked for is cancelled.
    pub fn put_away(self) {
        side::put_away(self);
    }

    /// A click on "Connect": connects and signs in.
    pub fn sign_in(self) {
        side::sign_in(self);
    }

    /// Ends the session, and forgets what this browser remembers for its wallet.
    pub fn sign_out(self) {
        side::sign_out(self);
    }

    /// Waits no longer for a silent wallet: whatever waited ends at once, in an error of its own.
    pub fn let_go(self) {
        side::let_go();
    }

    /// Reads the session again: credit, runs under way, arrivals.
    pub fn refresh(self) {
        side::refresh(self);
    }

    /// Asks a faucet of our own (`demo` only) for coins for this wallet; what came of it is `told`.
    pub fn ask_faucet(self, path: String, told: RwSignal<Option<String>>) {
        side::ask_faucet(self, path, told);
    }

    /// Who is signed in *and* is the wallet's account: another account's session is not used (A7).
    pub fn signed_in(self) -> Option<Address> {
        usable(self.session.get(), self.account.get())
    }

    /// As [`Wallet::signed_in`], for what runs on a click.
    pub fn signed_in_now(self) -> Option<Address> {
        usable(self.session.get_untracked(), self.account.get_untracked())
    }
}

fn usable(session: Option<SessionView>, account: Option<Address>) -> Option<Address> {
    let session = session?.address?;
    match account {
        Some(account) if account != session => None,
        _ => Some(session),
    }
}

/// Where this browser keeps what it remembers for one wallet: payments that have no answer yet. Forgotten when it signs out.
pub fn memory_key(wallet: Address) -> String {
    format!("coinslot.pending.{wallet}")
}

const METAMASK: &str = "https://metamask.io/download/";

/// Where "Get MetaMask" leads (A1): on a phone the wallet's own browser opens this page.
pub fn get_wallet_url() -> String {
    side::get_wallet_url()
}

/// `host` with its port, `path` with its leading slash.
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
fn metamask_url(user_agent: &str, host: &str, path: &str) -> String {
    let phone = ["Mobi", "Android", "iPhone"].iter().any(|sign| user_agent.contains(sign));
    if phone && !host.is_empty() { format!("https://metamask.app.link/dapp/{host}{path}") } else { METAMASK.to_owned() }
}

/// Bytes of an announced icon: more than any wallet has, little enough to keep.
const ICON_MAX: usize = 128 * 1024;
/// Characters of an announced name.
const NAME_MAX: usize = 40;

/// What a wallet announced, bounded: anything but an image as a `data:` URI is no icon (A2). `None`: it has no identity.
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
fn announced_info(rdns: String, name: String, icon: String) -> Option<WalletInfo> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    let icon = if icon.starts_with("data:image/") && icon.len() <= ICON_MAX { icon } else { String::new() };
    (!rdns.is_empty() && rdns.len() <= 200).then(|| WalletInfo {
        name: if name.is_empty() { rdns.clone() } else { name },
        rdns,
        icon,
    })
}

/// What `personal_sign` takes: the text's UTF-8 bytes, in hex.
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
fn hex_of(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = String::with_capacity(2 + 2 * text.len());
    hex.push_str("0x");
    for byte in text.bytes() {
        hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
        hex.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a7_another_accounts_session_is_not_used() {
        let (ada, bob) = (Address([1; 20]), Address([2; 20]));
        let session = Some(SessionView { address: Some(ada), ..SessionView::default() });
        assert_eq!(usable(session.clone(), Some(ada)), Some(ada));
        assert_eq!(usable(session.clone(), Some(bob)), None);
        assert_eq!(usable(session, None), Some(ada), "a session needs no wallet to be read");
        assert_eq!(usable(None, Some(ada)), None);
    }

    #[test]
    fn a1_a_phone_opens_the_page_inside_metamask() {
        let phone = "Mozilla/5.0 (Linux; Android 15) Mobile Safari";
        assert_eq!(
            metamask_url(phone, "shop.example:8443", "/agents/contract-xray"),
            "https://metamask.app.link/dapp/shop.example:8443/agents/contract-xray"
        );
        assert_eq!(metamask_url("Mozilla/5.0 (X11; Linux x86_64)", "shop.example", "/"), METAMASK);
    }

    #[test]
    fn a2_an_icon_is_an_image_in_a_data_uri_or_nothing() {
        let icon = |icon: &str| announced_info("io.wallet".into(), "W".into(), icon.into()).map(|info| info.icon);
        assert_eq!(icon("data:image/svg+xml,<svg/>").as_deref(), Some("data:image/svg+xml,<svg/>"));
        for bad in [
            "https://tracker.example/x.png",
            "javascript:alert(1)",
            "data:text/html,x",
            &format!("data:image/{}", "x".repeat(ICON_MAX)),
        ] {
            assert_eq!(icon(bad).as_deref(), Some(""), "{bad:.40}");
        }
        assert_eq!(announced_info(String::new(), "W".into(), String::new()), None);
        let long = announced_info("io.wallet".into(), "é\n".repeat(60), String::new()).map(|info| info.name.chars().count());
        assert_eq!(long, Some(NAME_MAX));
    }

    #[test]
    fn personal_sign_gets_the_bytes_of_the_text() {
        assert_eq!(hex_of("Aé\n"), "0x41c3a90a");
    }
}
