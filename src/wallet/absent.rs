//! Where there is no browser: nothing is found and nothing happens. The server renders the page with these.

use leptos::prelude::RwSignal;

use super::Wallet;

pub fn discover(_wallet: Wallet) {}

pub fn pick(_wallet: Wallet, _rdns: String) {}

pub fn put_away(_wallet: Wallet) {}

pub fn sign_in(_wallet: Wallet) {}

pub fn sign_out(_wallet: Wallet) {}

pub fn refresh(_wallet: Wallet) {}

pub fn let_go() {}

pub fn ask_faucet(_wallet: Wallet, _path: String, _told: RwSignal<Option<String>>) {}

pub fn keep(_wallet: Wallet) {}

pub fn get_wallet_url() -> String {
    super::METAMASK.to_owned()
}
