//! A finished run's answer: the report, what it cost, where it can be found again, and the ways to take it along.
//!
//! Everything an agent wrote is data here: text in elements, escaped by the server that writes the report (`ui::written`). The answer of an
//! agent that is no longer on sale, or in a shape that an older version wrote, is shown as the JSON it is (E10).

mod download;
mod markdown;

use crate::ui::Erase;
use leptos::{prelude::*, task::spawn_local};
use serde_json::Value;

use self::{download::save, markdown::markdown};
use crate::{
    pages::data::{Charged, my_fee, my_report},
    run::{RunState, RunView},
    ui::{CopyButton, Details, HashView, MoneyView, TimeView, hydrated, toast, utc_date_time, written},
};

/// What opens a run without its payer's session, where the page's address had it. In the context of the run's pages.
#[derive(Clone)]
pub struct RunKey(pub String);

/// A path of this run, with the key that the visitor came with.
pub fn with_key(path: String) -> String {
    match use_context::<RunKey>() {
        // The server's keys are plain hexadecimal: anything else is no key, and does not get into a link.
        Some(RunKey(key)) if key.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            // Behind the `#`: what stands in the query stands in the logs of every proxy.
            format!("{path}#key={key}")
        }
        _ => path,
    }
}

#[component]
pub fn Answer(run: RunView) -> impl IntoView {
    let Some(output) = run.output.clone() else {
        return view! { <p class="empty">"The answer was deleted. Its receipt stays."</p> }.erase();
    };
    let pretty = pretty(&output);
    let report = report(&run, &output, pretty.clone());
    view! {
        <section class="answer" aria-label="Answer">
            <h2>"Answer"</h2>
            <div class="sheet">{report}</div>
            {facts(&run)}
            {take_along(&run, &output, pretty.clone())}
            <Details summary="Raw JSON">{json(pretty)}</Details>
        </section>
    }
    .erase()
}

/// Written by the server, with the page or when it is asked for.
fn report(run: &RunView, output: &Value, pretty: String) -> AnyView {
    #[cfg(feature = "ssr")]
    let now = Some(html(&run.agent, &output.to_string()));
    #[cfg(not(feature = "ssr"))]
    let now = {
        let _ = output;
        None
    };
    let key = use_context::<RunKey>().map(|RunKey(key)| key);
    let id = run.id.clone();
    // What was bought is here all the same.
    written(now, move || my_report(id.clone(), key.clone()), move |_| json(pretty.clone()))
}

/// A stored answer for reading. The JSON it is, where no agent on sale knows its shape (E10).
#[cfg(feature = "ssr")]
pub fn html(agent: &str, output: &str) -> String {
    let report = crate::agents::find(agent).and_then(|agent| (agent.report)(output));
    report.unwrap_or_else(|| crate::ui::write(|| json(pretty_text(output))))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// Of an answer as it came.
pub fn pretty_text(body: &str) -> String {
    serde_json::from_slice(body.as_bytes()).map_or_else(|_| body.to_owned(), |value| pretty(&value))
}

pub fn json(text: String) -> AnyView {
    // Focusable, so that a keyboard can scroll it.
    view! { <pre class="json" tabindex="0"><code translate="no">{text}</code></pre> }.erase()
}

fn facts(run: &RunView) -> AnyView {
    let charged = charged(run);
    view! {
        <dl class="facts">
            {run.price.clone().map(|money| row("Cost", view! {
                <MoneyView money/>
                {move || charged.get().map(|charged| view! { " and "<MoneyView money=charged.fee.clone()/>" network fee"{charged.by()} })}
                {run.authorized.then_some(", with no network fee")}
            }.erase()))}
            {row("Made by", engine(run))}
            {row("Payment", payment(run))}
            {run.finished_at_ms.map(|ms| row("Finished", view! { <TimeView ms/> }.erase()))}
            {row("Kept at", view! {
                <a href=with_key(format!("/runs/{}", run.id))>"This answer"</a>
                " · "
                <a href=with_key(format!("/receipts/{}", run.id))>"Receipt"</a>
            }.erase())}
        </dl>
    }
    .erase()
}

/// What the network charged for the run's payment, once the server has it from the chain (P4). Who signs pays no fee: the shop settles.
pub fn charged(run: &RunView) -> RwSignal<Option<Charged>> {
    let charged = RwSignal::new(None);
    let key = use_context::<RunKey>().map(|RunKey(key)| key);
    let sent = run.transaction.is_some() && !run.authorized && run.block.is_some();
    let id = sent.then(|| run.id.clone());
    Effect::new(move |_| {
        let Some(id) = id.clone() else { return };
        let key = key.clone();
        spawn_local(async move {
            // Without it, the page says nothing about it.
            charged.try_set(my_fee(id, key).await.ok().flatten());
        });
    });
    charged
}

/// What paid for it, for a list of facts.
pub fn payment(run: &RunView) -> AnyView {
    let url = || run.transaction_url.clone();
    match run.transaction {
        Some(hash) if run.is_unused_authorization() => view! { {unsettled(run.state)}" "<HashView hash url=url()/> }.erase(),
        Some(hash) => {
            let by = run.authorized.then_some("By authorization, settled in ");
            view! { {by}<HashView hash url=url()/> }.erase()
        }
        None if run.authorized => unsettled(run.state).erase(),
        None => "From your credit, with no network fee".erase(),
    }
}

/// Of an authorization without its settlement.
pub fn unsettled(state: RunState) -> &'static str {
    if state.ended() { "By authorization, which was not used" } else { "By authorization, not settled yet" }
}

fn engine(run: &RunView) -> AnyView {
    let version = format!("{}, version {}", run.agent_name, run.version);
    match run.engine.as_deref() {
        None => version,
        Some(engine) => match engine.strip_prefix("computed + ") {
            Some(model) => format!("{version}, computed, with words by the language model {model}"),
            None => format!("{version}, {engine}"),
        },
    }
    .erase()
}

fn row(name: &'static str, value: AnyView) -> AnyView {
    view! { <div><dt>{name}</dt><dd>{value}</dd></div> }.erase()
}

fn take_along(run: &RunView, output: &Value, pretty: String) -> AnyView {
    let live = hydrated();
    let name = format!("{}-{}", run.agent, run.id);
    let as_json = StoredValue::new((format!("{name}.json"), pretty.clone()));
    let as_markdown = StoredValue::new((format!("{name}.md"), document(run, output)));
    let download = move |file: StoredValue<(String, String)>, kind: &'static str| {
        move |_| {
            let (name, text) = file.get_value();
            if save(&name, kind, &text).is_err() {
                toast("This browser did not save the file. Copy the answer instead.");
            }
        }
    };
    view! {
        <p class="actions with-js">
            <CopyButton text=pretty label="Copy JSON" worded=true/>
            <button type="button" disabled=move || !live.get() on:click=download(as_json, "application/json")>"Download JSON"</button>
            <button type="button" disabled=move || !live.get() on:click=download(as_markdown, "text/markdown")>"Download Markdown"</button>
        </p>
    }
    .erase()
}

/// The answer as a document that stands alone: what it is, what it cost, what it says.
fn document(run: &RunView, output: &Value) -> String {
    let mut facts = vec![("Run", run.id.clone()), ("Agent version", run.version.clone())];
    facts.extend(run.price.as_ref().map(|price| ("Cost", price.to_string())));
    facts.extend(run.transaction.map(|hash| ("Transaction", hash.to_string())));
    facts.extend(run.finished_at_ms.map(|ms| ("Finished", utc_date_time(ms))));
    facts.push(("Input SHA-256", run.input_sha256.clone()));
    facts.extend(run.output_sha256.clone().map(|hash| ("Answer SHA-256", hash)));
    markdown(&run.agent_name, &facts, output)
}

#[cfg(all(test, feature = "ssr"))]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::{evm::Address, run::RunState};
    use serde_json::json;

    fn html_of(output: Value) -> String {
        let run = RunView {
            id: "019ab0c1-0000-7000-8000-000000000000".into(),
            agent: "gone".into(),
            agent_name: "gone".into(),
            version: "1".into(),
            state: RunState::Done,
            payer: Address([1; 20]),
            price: None,
            network: "eip155:31337".into(),
            transaction: None,
            pay_to: None,
            transaction_url: None,
            authorized: false,
            block: None,
            created_at_ms: 0,
            held_at_ms: None,
            finished_at_ms: Some(0),
            attempts: 1,
            input: None,
            input_sha256: "00".repeat(32),
            output: Some(output),
            output_sha256: None,
            engine: Some("computed".into()),
            error: None,
            progress: Default::default(),
        };
        Owner::new().with(|| view! { <Answer run/> }.to_html())
    }

    #[test]
    fn d4_what_an_agent_wrote_stays_text() {
        let html = html_of(json!({"a": "<script>alert(1)</script>", "b": "<img src=x onerror=alert(1)>"}));
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn e10_the_answer_of_an_agent_that_is_gone_is_still_shown() {
        let html = html_of(json!({"verdict": "still here"}));
        assert!(html.contains("still here") && html.contains("/receipts/019ab0c1"), "{html}");
    }

    #[test]
    fn a_key_goes_along_only_if_it_can_be_one() {
        Owner::new().with(|| {
            assert_eq!(with_key("/runs/1".into()), "/runs/1");
            provide_context(RunKey("00ff".into()));
            assert_eq!(with_key("/runs/1".into()), "/runs/1#key=00ff");
            assert_eq!(with_key("/agents/a?run=1".into()), "/agents/a?run=1#key=00ff");
            provide_context(RunKey("\"><b>&x=".into()));
            assert_eq!(with_key("/runs/1".into()), "/runs/1");
        });
    }
}
