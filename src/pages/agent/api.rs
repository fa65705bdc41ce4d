//! The API tab: how a program buys what this page sells. All of it can be read without JavaScript.

use leptos::prelude::*;

use super::super::{
    data::{Shop, Snippet, the_snippets},
    loaded::load,
};
use crate::{
    agents::OnSale,
    ui::{CopyButton, Erase, MoneyView},
};

pub fn api(agent: &'static OnSale, shop: &Shop) -> AnyView {
    let card = agent.card;
    let url = format!("{}{}", shop.public_url, card.endpoint());
    let tools = format!("{}/mcp", shop.public_url);
    let prices = shop.prices.iter().find(|(slug, _)| slug == card.slug).map(|(_, prices)| prices.clone()).unwrap_or_default();
    view! {
        <div class="api">
            <h2>"For programs"</h2>
            <p>
                "One " <code>"POST"</code> " with the input as JSON. Without a payment it answers " <code>"402 Payment Required"</code>
                " with its price; with one, the answer and its receipt. There is no account: the wallet that signs is the customer."
            </p>
            <dl class="facts">
                <div>
                    <dt>"Address"</dt>
                    <dd><code translate="no">{url.clone()}</code> <CopyButton text=url label="Copy address"/></dd>
                </div>
                <div>
                    <dt>"Price"</dt>
                    <dd>{prices.iter().map(|money| view! { <p><MoneyView money=money.clone()/></p> }).collect_view()}</dd>
                </div>
                <div>
                    <dt>"As a tool"</dt>
                    <dd>
                        <code translate="no">{tools.clone()}</code> <CopyButton text=tools label="Copy MCP address"/>
                        <p class="hint">"MCP over streamable HTTP. The price comes with the first answer, the payment goes into " <code>"_meta"</code> "."</p>
                    </dd>
                </div>
                <div>
                    <dt>"Described in"</dt>
                    <dd>
                        // Not pages of ours: the router is not to look for them.
                        <a href="/openapi.json" rel="external">"openapi.json"</a> " · " <a href="/llms.txt" rel="external">"llms.txt"</a>
                    </dd>
                </div>
            </dl>
            {snippets(card.slug, prices.iter().any(|price| price.asset.token.is_some()))}
        </div>
    }
    .erase()
}

/// `payable`: there is something that the official clients can pay with.
fn snippets(agent: &'static str, payable: bool) -> AnyView {
    let all = load(|| (), move |()| the_snippets(agent.to_owned()));
    let how = if payable {
        view! { <p>"Each runs as it stands, with the private key of a wallet that has the token in " <code>"PRIVATE_KEY"</code> "."</p> }.erase()
    } else {
        view! { <p>"The official x402 clients pay in tokens, and this shop takes none yet: a program has to bring its own way to pay in coin."</p> }
            .erase()
    };
    view! {
        {how}
        <Suspense>
            {move || Suspend::new(async move {
                match all.await {
                    Ok(all) => all.into_iter().map(snippet).collect_view().erase(),
                    Err(error) => view! { <p class="failure" role="alert">{error.error}</p> }.erase(),
                }
            })}
        </Suspense>
    }
    .erase()
}

fn snippet(Snippet { id, title, code }: Snippet) -> AnyView {
    let heading = format!("snippet-{id}");
    view! {
        <section class="program" aria-labelledby=heading.clone()>
            <h3 id=heading.clone()>{title}</h3>
            // Focusable, so that a keyboard can scroll it.
            <pre tabindex="0" data-snippet=id><code translate="no">{code.clone()}</code></pre>
            <CopyButton text=code label="Copy program" worded=true/>
        </section>
    }
    .erase()
}
