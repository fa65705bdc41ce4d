//! The bottom of every page: what this is, where it is paid, and the promise.

use crate::ui::Erase;
use leptos::prelude::*;

use crate::{pages::shop::with_shop, ui::AddressView};

#[component]
pub fn Footer() -> impl IntoView {
    view! {
        <footer class="bottom">
            <div class="wide">
                <section>
                    <h2>"Coinslot"</h2>
                    <p>"Coin-operated AI agents: one payment from your own wallet, one answer. No account, no card."</p>
                </section>
                <section>
                    <h2>"The books balance"</h2>
                    <p>"Every payment is in exactly one place that you can see: spent on a run that succeeded, or standing as your credit."</p>
                </section>
                <section>
                    <h2>"Paid on"</h2>
                    {with_shop(|shop| view! {
                        <p>{shop.networks.iter().map(|network| network.name.clone()).collect::<Vec<_>>().join(", ")}</p>
                        <p>"to "<AddressView address=shop.pay_to/></p>
                    }.erase())}
                    <p class="source">"Open source, Apache-2.0 or MIT"</p>
                </section>
            </div>
        </footer>
    }
    .erase()
}
