//! Who gave what to whom, as a picture: a line for each party, an arrow for each move, in order. The table of transfers says the same.

use leptos::prelude::*;

use super::report::Flow;
use crate::ui::Erase;

/// Between two parties, and between two arrows.
const ACROSS: u32 = 170;
const DOWN: u32 = 40;
const TOP: u32 = 48;

pub fn picture(flow: &Flow) -> Option<AnyView> {
    if flow.moves.is_empty() {
        return None;
    }
    let across = |place: u32| 85 + place * ACROSS;
    let width = flow.parties.len() as u32 * ACROSS;
    let height = TOP + flow.moves.len() as u32 * DOWN + 16;
    let mut marks: Vec<AnyView> = Vec::new();
    for (place, party) in flow.parties.iter().enumerate() {
        let x = across(place as u32);
        marks.push(
            view! {
                <rect x=x - 78 y="4" width="156" height="26" rx="4"/>
                <text x=x y="22" text-anchor="middle">{party.label.clone()}<title>{party.address.clone()}</title></text>
                <path class="tx-line" d=format!("M{x} 30V{height}")/>
            }
            .erase(),
        );
    }
    let mut told: Vec<String> = Vec::new();
    for (place, step) in flow.moves.iter().enumerate() {
        let y = TOP + place as u32 * DOWN + 24;
        let (from, to) = (across(step.from), across(step.to));
        let (line, head) = match from.cmp(&to) {
            std::cmp::Ordering::Less => (format!("M{from} {y}H{}", to - 7), format!("M{to} {y}l-9 -5v10z")),
            std::cmp::Ordering::Greater => (format!("M{from} {y}H{}", to + 7), format!("M{to} {y}l9 -5v10z")),
            // To itself: out and back.
            std::cmp::Ordering::Equal => (format!("M{from} {}h24v10h-17", y - 10), format!("M{to} {y}l9 -5v10z")),
        };
        marks.push(
            view! {
                <path d=line/>
                <path class="head" d=head/>
                <text x=from.midpoint(to) y=y - 8 text-anchor="middle">{step.words.clone()}</text>
            }
            .erase(),
        );
        let name = |place: u32| flow.parties.get(place as usize).map(|party| party.label.as_str()).unwrap_or_default();
        told.push([name(step.from), " gives ", &step.words, " to ", name(step.to)].concat());
    }
    let said = told.join("; ");
    Some(
        view! {
            <div class="tx-flow" tabindex="0" role="region" aria-label="What changed hands, as a picture">
                <svg class="picture" class:tx-wide={width > 480} role="img" aria-label=said viewBox=format!("0 0 {width} {height}")>
                    {marks}
                </svg>
            </div>
        }
        .erase(),
    )
}
