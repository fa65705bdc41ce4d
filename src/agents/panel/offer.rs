//! What the visitor agrees to before the wallet opens (B2), and the buttons that begin it.

use crate::ui::Erase;
use leptos::prelude::*;

use super::{Desk, Go, PanelTerms};
use crate::{
    evm::Address,
    money::Money,
    ui::{AddressView, MoneyView, TimeView},
    wallet::{Found, get_wallet_url},
    x402::phase::{PayWith, Quote},
};

/// One price in numbers: estimated from the shop's terms, or as the offer that is being paid says.
struct Numbers {
    price: Money,
    fee: Option<Money>,
    network: String,
    pay_to: Address,
    /// `None`: no offer was asked for yet.
    expires_at_ms: Option<i64>,
}

impl Numbers {
    fn of_terms(terms: PanelTerms) -> Self {
        let fee = terms.network.transfer_fee(terms.network.gas_price_hint);
        Self { price: terms.price, fee, network: terms.network.name, pay_to: terms.pay_to, expires_at_ms: None }
    }

    fn of_quote(quote: Quote) -> Self {
        Self {
            price: quote.price,
            fee: Some(quote.fee),
            network: quote.network,
            pay_to: quote.pay_to,
            expires_at_ms: Some(quote.expires_at_ms),
        }
    }

    /// `None` where the fee is unknown, or in another asset.
    fn total(&self) -> Option<Money> {
        let fee = self.fee.as_ref().filter(|fee| fee.asset == self.price.asset)?;
        self.price.amount.plus(fee.amount).map(|total| self.price.with(total))
    }
}

pub fn quote(desk: Desk) -> AnyView {
    let numbers = move || {
        let quoted = desk.call.quote.get().map(Numbers::of_quote);
        quoted.or_else(|| desk.terms.get().map(Numbers::of_terms))
    };
    view! {
        <dl class="quote">
            {move || match numbers() {
                Some(numbers) => rows(numbers),
                None => row("Price", desk.card.headline_price().erase()),
            }}
        </dl>
    }
    .erase()
}

fn rows(numbers: Numbers) -> AnyView {
    let total = numbers.total();
    let until = match numbers.expires_at_ms {
        Some(ms) => view! { <TimeView ms/> }.erase(),
        None => "told when you press the button, before your wallet opens".erase(),
    };
    view! {
        {row("Price", view! { <MoneyView money=numbers.price/> }.erase())}
        {numbers.fee.map(|money| row("Network fee (estimate)", view! { <MoneyView money/> }.erase()))}
        {total.map(|money| row("Total", view! { <MoneyView money/> }.erase()))}
        {row("Network", numbers.network.erase())}
        {row("Recipient", view! { <AddressView address=numbers.pay_to/> }.erase())}
        {row("Offer holds until", until)}
    }
    .erase()
}

fn row(name: &'static str, value: AnyView) -> AnyView {
    view! {
        <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
        </div>
    }
    .erase()
}

pub fn buttons(desk: Desk) -> AnyView {
    let no_wallet = Memo::new(move |_| desk.wallet.found.with(|found| *found == Found::Nothing));
    let waits = move || !desk.awake.get() || desk.busy();
    view! {
        <div class="buttons">
            {move || {
                if no_wallet.get() {
                    view! {
                        <a class="button" href=get_wallet_url() rel="noopener">
                            "Get MetaMask"
                        </a>
                    }
                        .erase()
                } else {
                    view! {
                        <button type="submit" class="primary" disabled=waits>
                            {move || format!("Run for {}", desk.price())}
                        </button>
                    }
                        .erase()
                }
            }} {credit_button(desk)}
        </div>
        {move || {
            (!desk.awake.get())
                .then(|| {
                    view! {
                        <p class="hint">
                            "Paying opens your wallet, which needs JavaScript. The button wakes up when the page has loaded."
                        </p>
                    }
                })
        }}
        {move || {
            no_wallet
                .get()
                .then(|| view! { <p class="hint">"No wallet was found in this browser. You pay with your own: no account, no card."</p> })
        }}
    }
    .erase()
}

/// B18: nothing but this click ever spends credit.
fn credit_button(desk: Desk) -> AnyView {
    let credit = Memo::new(move |_| {
        desk.wallet.signed_in()?;
        let price = desk.terms.with(|terms| terms.as_ref().map(|terms| terms.price.clone()))?;
        desk.wallet.session.with(|session| {
            let session = session.as_ref().filter(|session| session.covers(&price))?;
            session.credit_in(&price).cloned()
        })
    });
    let covered = Memo::new(move |_| credit.with(Option::is_some));
    view! {
        {move || {
            covered
                .get()
                .then(|| {
                    view! {
                        <button
                            type="button"
                            class="secondary"
                            disabled=move || !desk.awake.get() || desk.busy()
                            on:click=move |_| desk.go.run(Go::Run(PayWith::Credit))
                        >
                            "Pay from credit"
                        </button>
                        <p class="hint">
                            {move || credit.get().map(|money| format!("You have {money} credit: no wallet window, no network fee."))}
                        </p>
                    }
                })
        }}
    }
    .erase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{money::Amount, network::Network};

    #[test]
    fn b2_the_total_is_price_and_fee_to_the_wei() {
        let network = Network {
            id: "eip155:10143".into(),
            chain_id: 10143,
            name: "Monad testnet".into(),
            slug: "monad".into(),
            symbol: "MON".into(),
            decimals: 18,
            wallet_rpc_url: String::new(),
            explorer: None,
            faucet: None,
            gas_price_hint: Amount::from_atomic(100_000_000_000),
            tokens: Vec::new(),
        };
        let price = network.coin(Amount::parse_units("0.0001", 18).unwrap());
        let numbers = Numbers::of_terms(PanelTerms { network, pay_to: Address([1; 20]), price });
        assert_eq!(numbers.fee.as_ref().unwrap().to_string(), "0.0021 MON");
        assert_eq!(numbers.total().unwrap().to_string(), "0.0022 MON");
    }
}
