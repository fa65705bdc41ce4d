//! What stands to one's credit, and how it came about: arrived, set aside, back, spent. Read from the books alone (E8).

use super::loaded::load;
use crate::ui::Erase;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::{
    data::{Line, Statement, What, my_statement},
    personal::{Mine, Personal, visitor},
};
use crate::ui::{HashView, Heading, MoneyView, TimeView};

#[component]
pub fn CreditPage() -> impl IntoView {
    let query = use_query_map();
    let visitor = visitor();
    let statement = load(
        move || query.with(|query| query.get("before")),
        move |before| Mine::load(visitor.get_untracked(), false, my_statement(before)),
    );
    let page = Personal { heading: None, what: "your credit", show, missing: || ().erase() };
    view! {
        <Title text="Credit"/>
        <div class="page">
            <Heading>"Credit"</Heading>
            {page.render(statement)}
        </div>
    }
    .erase()
}

fn show(statement: Statement) -> AnyView {
    let Statement { credit, lines, more } = statement;
    let spendable = credit.iter().any(|money| !money.amount.is_zero());
    let balances = if credit.is_empty() {
        view! { <p class="figure nothing">"No credit"</p> }.erase()
    } else {
        credit.into_iter().map(|money| view! { <p class="figure"><MoneyView money/></p> }).collect_view().erase()
    };
    let statement = if lines.is_empty() {
        view! {
            <div class="empty">
                <p class="lead">"Nothing has arrived yet."</p>
                <p>"When you pay more than a price, pay too late, or a run fails, the money stands here, and the next run can be paid with it in one click, with no network fee."</p>
                <p><a class="button" href="/">"See the agents"</a></p>
            </div>
        }
        .erase()
    } else {
        view! {
            <h2>"How it came about"</h2>
            <div class="table-scroll">
                <table class="statement">
                    <thead>
                        <tr>
                            <th scope="col">"What"</th>
                            <th scope="col" class="wide-only">"Transaction"</th>
                            <th scope="col" class="number">"Credit"</th>
                        </tr>
                    </thead>
                    <tbody>{lines.into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
            {more.map(|before| view! { <p class="more"><a class="button" href=format!("/credit?before={before}")>"Older entries"</a></p> })}
        }
        .erase()
    };
    view! {
        <section class="balances" aria-label="Your credit">
            {balances}
            <p>
                {if spendable {
                    "Yours to spend on any agent here. It is spent only when you click for it."
                } else {
                    "What you pay above a price, and the price of a run that fails, stands here for the next one."
                }}
            </p>
        </section>
        {statement}
    }
    .erase()
}

fn row(line: Line) -> AnyView {
    let (word, sign) = match line.what {
        What::Deposit => ("Payment arrived", "+"),
        What::Hold => ("Set aside for a run", "−"),
        What::Capture => ("Spent: the run succeeded", ""),
        What::Release => ("Back: the run failed", "+"),
    };
    let agent = line.agent.unwrap_or_else(|| "run".into());
    let change = if sign.is_empty() {
        view! { <span class="hint">"no change"</span> }.erase()
    } else {
        view! { <span class="change">{sign}<MoneyView money=line.money/></span> }.erase()
    };
    view! {
        <tr>
            <td>
                {word}
                <span class="below">
                    {line.run.map(|run| view! { <a href=format!("/runs/{run}")>{agent}</a>" · " })}
                    <TimeView ms=line.at_ms/>
                </span>
            </td>
            <td class="wide-only">
                {line.transaction.map(|hash| view! { <HashView hash url=line.transaction_url/> })}
            </td>
            <td class="number">{change}</td>
        </tr>
    }
    .erase()
}
