//! One's own runs, newest first. Read from the books alone: it works while the chain cannot be reached (E8).

use super::loaded::load;
use crate::ui::Erase;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use serde_json::Value;

use super::{
    data::{History, my_history},
    personal::{Mine, Personal, visitor},
};
use crate::{
    run::RunView,
    ui::{HashView, Heading, MoneyView, StatusWord, TimeView},
};

/// Characters of an input that name it in a list.
const TITLE_MAX: usize = 24;

#[component]
pub fn HistoryPage() -> impl IntoView {
    let query = use_query_map();
    let visitor = visitor();
    let history = load(
        move || query.with(|query| query.get("before")),
        move |before| Mine::load(visitor.get_untracked(), false, my_history(before)),
    );
    let page = Personal { heading: None, what: "your runs", show: table, missing: || ().erase() };
    view! {
        <Title text="History"/>
        <div class="page">
            <Heading>"History"</Heading>
            {page.render(history)}
        </div>
    }
    .erase()
}

fn table(history: History) -> AnyView {
    if history.runs.is_empty() {
        return view! {
            <div class="empty">
                <p class="lead">"No runs yet."</p>
                <p>"Every run that you pay for is listed here with its answer, its payment and its receipt, the failed ones too."</p>
                <p><a class="button" href="/">"See the agents"</a></p>
            </div>
        }
        .erase();
    }
    view! {
        <div class="table-scroll">
            <table class="history">
                <thead>
                    <tr>
                        <th scope="col">"Run"</th>
                        <th scope="col">"State"</th>
                        <th scope="col" class="number">"Price"</th>
                        <th scope="col" class="wide-only">"Transaction"</th>
                        <th scope="col" class="wide-only"><span class="visually-hidden">"Receipt"</span></th>
                    </tr>
                </thead>
                <tbody>{history.runs.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
        {history.more.map(|before| view! { <p class="more"><a class="button" href=format!("/history?before={before}")>"Older runs"</a></p> })}
    }
    .erase()
}

fn row(run: RunView) -> AnyView {
    let transaction = match run.transaction {
        Some(hash) => view! { <HashView hash url=run.transaction_url.clone()/> }.erase(),
        None if run.authorized => view! { <span class="hint">"by authorization"</span> }.erase(),
        None => view! { <span class="hint">"from credit"</span> }.erase(),
    };
    view! {
        <tr>
            <td>
                <a href=format!("/runs/{}", run.id)>{run.agent_name.clone()}</a>
                <span class="below">
                    {run.input.as_ref().and_then(title).map(|title| view! { <code translate="no">{title}</code><span class="dot">" · "</span> })}
                    <TimeView ms=run.created_at_ms/>
                </span>
            </td>
            <td>
                <StatusWord state=run.state/>
                {(!run.state.ended()).then(|| step(&run))}
            </td>
            <td class="number">{run.price.clone().map_or_else(|| "—".erase(), |money| view! { <MoneyView money/> }.erase())}</td>
            <td class="wide-only">{transaction}</td>
            <td class="wide-only"><a href=format!("/receipts/{}", run.id)>"Receipt"</a></td>
        </tr>
    }
    .erase()
}

/// Where its agent is.
fn step(run: &RunView) -> Option<AnyView> {
    let now = run.progress.steps.last()?;
    let (sentence, words) = (now.sentence(), now.place());
    Some(view! { <span class="below" title=sentence>{words}</span> }.erase())
}

/// The first text in an input: what was asked about.
fn title(input: &Value) -> Option<String> {
    let text = match input {
        Value::String(text) => text,
        Value::Object(fields) => return fields.values().find_map(title),
        _ => return None,
    };
    Some(match text.char_indices().nth(TITLE_MAX) {
        // Addresses and hashes differ at both ends.
        Some(_) if text.starts_with("0x") && text.is_ascii() => format!("{}…{}", &text[..8], &text[text.len() - 6..]),
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_input_is_named_by_its_first_text() {
        let address = json!({"address": "0x5fbdb2315678afecb367f032d93f642f64180aa3"});
        assert_eq!(title(&address).as_deref(), Some("0x5fbdb2…180aa3"));
        assert_eq!(title(&json!({"limit": 3, "question": "Who?"})).as_deref(), Some("Who?"));
        assert_eq!(title(&json!({"question": "é".repeat(30)})), Some(format!("{}…", "é".repeat(24))));
        assert_eq!(title(&json!({"question": format!("0x{}", "é".repeat(30))})), Some(format!("0x{}…", "é".repeat(22))));
        assert_eq!(title(&json!([1, 2])), None);
        assert_eq!(title(&json!({})), None);
    }
}
