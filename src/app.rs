//! The application: what every page has around it, and the routes.
//!
//! Every route renders whole on the server before the first byte leaves (`SsrMode::Async`): pages read without JavaScript, a missing
//! page has its status, and nothing here asks a chain, so there is nothing slow to wait for (E8).

mod demo;
mod footer;
mod header;
#[cfg(feature = "ssr")]
mod shell;
mod trouble;

use crate::ui::Erase;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{FlatRoutes, Route, Router},
    path,
};

#[cfg(feature = "ssr")]
pub use self::shell::{Assets, shell};
use self::{demo::DemoStrip, footer::Footer, header::Header, trouble::Trouble};
use crate::{
    agents::under_way::UnderWay,
    pages::{
        agent::AgentPage, credit::CreditPage, history::HistoryPage, home::Home, not_found::NotFound, personal::provide_visitor,
        receipt::ReceiptPage, run::RunPage, shop::TheShop,
    },
    ui::{Toasts, follow_navigation},
    wallet::{Wallet, picker::WalletPicker},
};

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let wallet = Wallet::provide();
    provide_visitor(wallet);
    TheShop::provide();
    wallet.discover();
    Effect::new(|_| {
        if let Some(html) = document().document_element() {
            // Tests, and the style sheet, wait for it: from here on a click does something.
            drop(html.set_attribute("data-hydrated", "true"));
        }
    });

    view! {
        <Title formatter=|title: String| if title.is_empty() { "Coinslot".into() } else { format!("{title} · Coinslot") }/>
        <Router>
            <Around/>
        </Router>
    }
    // Erased, here and in each component: a type that holds the whole page is too deep for the compiler, and large in wasm.
    .erase()
}

/// The page and what stands around it: inside the router, since all of it has links.
#[component]
fn Around() -> impl IntoView {
    follow_navigation();
    view! {
        <a class="skip" href="#main" rel="external">"Skip to the page"</a>
        <Header/>
        <DemoStrip/>
        // Only where the start script has given up: see the shell.
        <p class="not-started" role="alert">"This page could not start. Reload it to connect a wallet; prices and samples can be read as they are."</p>
        <main id="main" tabindex="-1">
            <Trouble/>
            <UnderWay/>
            <FlatRoutes fallback=NotFound>
                <Route path=path!("/") view=Home ssr=SsrMode::Async/>
                <Route path=path!("/agents/:agent") view=AgentPage ssr=SsrMode::Async/>
                <Route path=path!("/runs/:id") view=RunPage ssr=SsrMode::Async/>
                <Route path=path!("/receipts/:id") view=ReceiptPage ssr=SsrMode::Async/>
                <Route path=path!("/history") view=HistoryPage ssr=SsrMode::Async/>
                <Route path=path!("/credit") view=CreditPage ssr=SsrMode::Async/>
            </FlatRoutes>
        </main>
        <Footer/>
        <WalletPicker/>
        <Toasts/>
    }
    .erase()
}
