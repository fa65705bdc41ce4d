//! What the visitor agrees to before the wallet opens (B2), and the buttons that begin it.

use crate::ui::Erase;
use leptos::prelude::*;

use super::{Desk, Fee, Go, PanelTerms, SPONSOR};
use crate::{
    evm::Address,
    money::Money,
    ui::{AddressView, MoneyView, TimeView},
    wallet::{Found, get_wallet_url},
    x402::phase::Quote,
};

/// One price in numbers: estimated from the shop's terms, or as the offer that is being paid says.
struct Numbers {
    price: Money,
    fee: Fee,
    network: String,
    pay_to: Address,
    /// `None`: no offer was asked for yet.
    expires_at_ms: Option<i64>,
}

impl Numbers {
    fn of_terms(terms: PanelTerms) -> Self {
        let fee = terms.fee();
        Self { price: terms.price, fee, network: terms.network.name, pay_to: terms.pay_to, expires_at_ms: None }
    }

    fn of_quote(quote: Quote) -> Self {
        Self {
            price: quote.price,
            fee: quote.fee.map_or(Fee::Nothing, |fee| Fee::of_transfer(quote.sponsored, Some(fee))),
            network: quote.network,
            pay_to: quote.pay_to,
            expires_at_ms: Some(quote.expires_at_ms),
        }
    }
}

/// What the agent can be paid in, with what it comes to in each: a choice, where there is one.
pub fn ways(desk: Desk) -> AnyView {
    let ways = Memo::new(move |_| {
        let mut ways = desk.ways.get();
        ways.retain(PanelTerms::by_wallet);
        ways
    });
    view! {
        {move || {
            let ways = ways.get();
            let several_networks = ways.iter().any(|terms| terms.network.id != ways[0].network.id);
            (ways.len() > 1)
                .then(|| {
                    view! {
                        <fieldset class="ways" disabled=move || desk.waits()>
                            <legend>"Pay with"</legend>
                            {ways.into_iter().map(|terms| way(desk, terms, several_networks)).collect_view()}
                        </fieldset>
                    }
                })
        }}
    }
    .erase()
}

fn way(desk: Desk, terms: PanelTerms, name_network: bool) -> AnyView {
    let asset = terms.price.asset.clone();
    let value = asset.to_string();
    let is_taken = {
        let asset = asset.clone();
        move || desk.terms.with(|terms| terms.as_ref().is_some_and(|terms| terms.price.asset == asset))
    };
    // As the server renders it, and for a browser without scripts.
    let at_first = desk.terms.with_untracked(|taken| taken.as_ref() == Some(&terms));
    let total = terms.fee().total(&terms.price).unwrap_or_else(|| terms.price.clone());
    let place = name_network.then(|| format!(" on {}", terms.network.name));
    view! {
        <label>
            <input type="radio" name="pay-with" value=value prop:checked=is_taken checked=at_first on:change=move |_| desk.choose(asset.clone())/>
            <span>
                <MoneyView money=total/>
                {place}
                <span class="hint">{in_parts(&terms)}</span>
            </span>
        </label>
    }
    .erase()
}

/// What a way's total is made of.
fn in_parts(terms: &PanelTerms) -> String {
    match terms.fee() {
        Fee::Nothing => "No network fee: you sign, the shop sends it".into(),
        Fee::About(fee) => format!("{} and about {fee} network fee", terms.price),
        Fee::UpTo(fee) => format!("{} and up to {fee} network fee; {SPONSOR}", terms.price),
        Fee::Unknown => format!("{} and the network fee", terms.price),
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
    let total = numbers.fee.total(&numbers.price);
    let at_most = matches!(numbers.fee, Fee::UpTo(_)).then_some("up to ");
    let fee = match numbers.fee {
        Fee::Unknown => None,
        Fee::Nothing => Some(row("Network fee", "none: the shop sends it".erase())),
        Fee::About(money) => Some(row("Network fee (estimate)", view! { <MoneyView money/> }.erase())),
        Fee::UpTo(money) => Some(sponsored(money)),
    };
    let until = match numbers.expires_at_ms {
        Some(ms) => view! { <TimeView ms/> }.erase(),
        None => "told when you press the button, before your wallet opens".erase(),
    };
    view! {
        {row("Price", view! { <MoneyView money=numbers.price/> }.erase())}
        {fee}
        {total.map(|money| row("Total", view! { {at_most}<MoneyView money/> }.erase()))}
        {row("Network", numbers.network.erase())}
        {row("Recipient", view! { <AddressView address=numbers.pay_to/> }.erase())}
        {row("Offer holds until", until)}
    }
    .erase()
}

/// P4: a sentence, also for whoever hears it: "Network fee: up to 0.0021 MON; MetaMask may pay it for you".
fn sponsored(money: Money) -> AnyView {
    view! {
        <div>
            <dt>"Network fee"<span class="visually-hidden">": "</span></dt>
            <dd>"up to "<MoneyView money/>"; "{SPONSOR}</dd>
        </div>
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
    let waits = move || desk.waits();
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
    // The price that is paid, and what there is: first in what the run button would pay.
    let credit = Memo::new(move |_| {
        desk.wallet.signed_in()?;
        let mut ways = desk.ways.get();
        ways.sort_by_key(|terms| desk.terms.with(|taken| taken.as_ref() != Some(terms)));
        desk.wallet.session.with(|session| {
            let session = session.as_ref()?;
            let price = ways.into_iter().map(|terms| terms.price).find(|price| session.covers(price))?;
            let have = session.credit_in(&price)?.clone();
            Some((price, have))
        })
    });
    let price = Memo::new(move |_| credit.with(|credit| credit.as_ref().map(|(price, _)| price.clone())));
    let label = move |price: &Money| {
        if desk.ways.with(|ways| ways.len() > 1) { format!("Pay {price} from credit") } else { "Pay from credit".to_owned() }
    };
    view! {
        {move || {
            price
                .get()
                .map(|price| {
                    let label = label(&price);
                    view! {
                        <button
                            type="button"
                            class="secondary"
                            disabled=move || desk.waits()
                            on:click=move |_| desk.go.run(Go::FromCredit(price.clone()))
                        >
                            {label}
                        </button>
                        <p class="hint">
                            {move || {
                                credit.get().map(|(_, have)| format!("You have {have} credit: no wallet window, no network fee."))
                            }}
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
    use crate::{
        agents::panel::terms_in,
        money::Amount,
        network::{Network, Token},
    };

    fn network() -> Network {
        Network {
            tokens: vec![Token {
                address: Address([7; 20]),
                symbol: "USDC".into(),
                decimals: 6,
                name: "USD Coin".into(),
                version: "2".into(),
                eip3009: true,
                permit2: false,
            }],
            ..Network::of_monads(10143)
        }
    }

    /// In dollars, and in coin.
    fn ways() -> [PanelTerms; 2] {
        let network = network();
        let at = |price: &str| PanelTerms {
            network: network.clone(),
            pay_to: Address([1; 20]),
            price: network.price(price).unwrap().unwrap(),
        };
        [at("0.001 USDC"), at("0.0001 MON")]
    }

    #[test]
    fn b2_the_total_is_price_and_fee_to_the_wei() {
        let [dollars, coin] = ways();
        let numbers = Numbers::of_terms(coin.clone());
        assert_eq!(numbers.fee.total(&numbers.price).unwrap().to_string(), "0.0022 MON");
        assert_eq!(in_parts(&coin), "0.0001 MON and about 0.0021 MON network fee");
        let numbers = Numbers::of_terms(dollars.clone());
        assert_eq!(numbers.fee.total(&numbers.price).unwrap().to_string(), "0.001 USDC", "who signs pays no fee");
        assert!(in_parts(&dollars).starts_with("No network fee"));
    }

    #[test]
    fn p4_a_fee_that_a_wallet_may_pay_is_told_as_that_and_is_the_same_figure_everywhere() {
        let [_, mut coin] = ways();
        coin.network.wallet_sponsors_gas = true;
        coin.network.gas_price_hint = Amount::from_atomic(102_000_000_000);
        assert_eq!(in_parts(&coin), "0.0001 MON and up to 0.00214 MON network fee; MetaMask may pay it for you");
        let fee = coin.network.fee(21_000, Amount::from_atomic(102_000_000_001));
        let quote = Quote {
            price: coin.price.clone(),
            fee,
            sponsored: true,
            pay_to: coin.pay_to,
            network: coin.network.name.clone(),
            expires_at_ms: 0,
        };
        let (shown, asked) = (Numbers::of_terms(coin), Numbers::of_quote(quote));
        assert_eq!(shown.fee, asked.fee, "what the wallet's node says differs in a digit that nobody reads");
        assert!(matches!(&asked.fee, Fee::UpTo(fee) if fee.to_string() == "0.00214 MON"));
        assert_eq!(asked.fee.total(&asked.price).map(|total| total.to_string()).as_deref(), Some("0.00224 MON"));
    }

    #[test]
    fn what_was_chosen_is_paid_and_coin_where_nothing_was() {
        let ways = ways();
        let paid = |ways: &[PanelTerms], chosen| terms_in(ways, chosen).map(|terms| terms.price.symbol.clone());
        assert_eq!(paid(&ways, None).as_deref(), Some("MON"), "whatever the order of the offers");
        assert_eq!(paid(&ways, Some(&ways[0].price.asset)).as_deref(), Some("USDC"));
        // Remembered from another agent, and not sold for here.
        assert_eq!(paid(&ways[1..], Some(&ways[0].price.asset)).as_deref(), Some("MON"));
        assert_eq!(paid(&ways[..1], None).as_deref(), Some("USDC"));
        // A token that no signature moves is for programs, and for credit.
        let mut permit2 = ways.clone();
        permit2[0].network.tokens[0].eip3009 = false;
        assert_eq!(paid(&permit2, Some(&permit2[0].price.asset)).as_deref(), Some("MON"));
        assert_eq!(paid(&permit2[..1], None), None);
    }
}
