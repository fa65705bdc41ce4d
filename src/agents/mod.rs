//! What is on sale: one file per agent, and the list of them.
//!
//! A module on sale has `CARD`, `Input`, `Report`, the paid server function of the module's own name, `Form`, `ReportView`,
//! `example()` (an input) and `sample()` (an answer); everything else (card, route, 402, page, history row, schemas) comes from these.
//! The browser has the forms; reports are rendered on the server (`ui::written`).

pub mod answer;
pub mod explanation;
pub mod form;
#[cfg(feature = "ssr")]
pub mod names;
pub mod panel;
pub mod progress;
pub mod sheet;
pub mod under_way;

/// The guide's example, which `coinslot new-agent` begins with: held to compile, and its tests to pass, under any list.
#[cfg(all(test, feature = "ssr"))]
#[path = "../server/new_agent/word_count.rs"]
pub mod as_in_the_guide;

use crate::ui::Erase;
use leptos::prelude::*;

use crate::card::Card;

/// An agent as the page meets it.
#[derive(Clone, Copy)]
pub struct OnSale {
    pub card: &'static Card,
    /// The form, the price, the stages and the result. The input, as JSON, if one is to be filled in (E6).
    pub panel: fn(prefill: Option<String>) -> AnyView,
    /// A stored answer, from its JSON, as HTML. `None`: an older version wrote it, in another shape.
    #[cfg(feature = "ssr")]
    report: fn(output: &str) -> Option<String>,
    /// The card's sample answer, as HTML.
    #[cfg(feature = "ssr")]
    sample: fn() -> String,
}

impl OnSale {
    /// The card's sample answer, as HTML: on the server, where reports are written.
    pub fn sample(&self) -> Option<String> {
        #[cfg(feature = "ssr")]
        return Some((self.sample)());
        #[cfg(not(feature = "ssr"))]
        None
    }
}

macro_rules! on_sale {
    ($($agent:ident),* $(,)?) => {
        $(pub mod $agent;)*

        pub const ON_SALE: &[OnSale] = &[$(OnSale {
            card: &$agent::CARD,
            panel: |prefill| {
                panel::panel(&$agent::CARD, prefill, |input, errors| view! { <$agent::Form input errors/> }.erase())
            },
            #[cfg(feature = "ssr")]
            report: |output| {
                let report = serde_json::from_slice(output.as_bytes()).ok()?;
                Some(crate::ui::write(|| view! { <$agent::ReportView report/> }.erase()))
            },
            #[cfg(feature = "ssr")]
            sample: || {
                static HTML: std::sync::OnceLock<String> = std::sync::OnceLock::new();
                let written = || crate::ui::write(|| view! { <$agent::ReportView report=$agent::sample()/> }.erase());
                HTML.get_or_init(written).clone()
            },
        }),*];

        #[cfg(feature = "ssr")]
        pub fn workers() -> Vec<crate::runs::Agent> {
            vec![$(crate::runs::agent(&$agent::CARD, $agent::$agent, $agent::example, $agent::sample)),*]
        }
    };
}

// Everything on sale, in the order of the shop window. Adding an agent adds its file and its name here.
on_sale![contract_xray, tx_explainer, wallet_report, page_brief, document_brief, analyst];

/// The works of agents that are done in a process of their own: what a parser of strangers' data may break.
#[cfg(feature = "ssr")]
pub fn apart() -> [&'static crate::runs::apart::Apart; 2] {
    [&contract_xray::apart::EXAMINE, &page_brief::apart::READ]
}

pub fn find(slug: &str) -> Option<&'static OnSale> {
    ON_SALE.iter().find(|agent| agent.card.slug == slug)
}
