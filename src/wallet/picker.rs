//! Several wallets, none chosen yet: which one? (A2)

use leptos::prelude::*;

#[component]
pub fn WalletPicker() -> impl IntoView {}
