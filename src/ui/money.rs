//! An amount with its unit: exact, never rounded, digits of one width so that figures line up.

use leptos::prelude::*;

use crate::money::Money;

/// `0.0001 MON`
#[component]
pub fn MoneyView(money: Money) -> impl IntoView {
    view! {
        <span class="money">
            <span class="amount">{money.amount.to_units(money.decimals)}</span>
            " "
            <span class="unit">{money.symbol}</span>
        </span>
    }
}
