//! A picture of the storage: one bar of 32 bytes for each slot, each variable where it lies.

use leptos::prelude::*;
use crate::ui::Erase;

use super::report::Variable;

/// Of the picture, per byte and per slot, in its own units.
const BYTE: u32 = 10;
const BAR: u32 = 22;
const STEP: u32 = 30;
/// More slots than this are in the table alone.
const SLOTS_MAX: usize = 48;

/// For those who see it; the table beside it says the same in words.
#[component]
pub fn Layout<'a>(storage: &'a [Variable]) -> impl IntoView {
    let mut slots: Vec<&str> = storage.iter().map(|variable| variable.slot.as_str()).collect();
    slots.dedup();
    let left_out = slots.len().saturating_sub(SLOTS_MAX);
    slots.truncate(SLOTS_MAX);
    let height = slots.len() as u32 * STEP + 1;
    // Left of the bars, for the slots' names.
    let margin = slots.iter().map(|slot| short(slot).chars().count() as u32).max().unwrap_or_default() * 7 + 14;
    let bars: Vec<AnyView> =
        slots.iter().enumerate().map(|(row, slot)| bar(margin, row as u32 * STEP + 1, slot, storage)).collect();
    view! {
        <figure class="xray-layout">
            <svg viewBox=format!("0 0 {} {height}", margin + 32 * BYTE + 1) role="img" aria-label="Where each variable lies in its 32-byte slot; the table below says the same">
                {bars}
            </svg>
            <figcaption>
                "Each bar is one slot of 32 bytes, the low end on the right."
                {(left_out > 0).then(|| format!(" {left_out} more slots are in the table."))}
            </figcaption>
        </figure>
    }
    .erase()
}

fn bar(margin: u32, y: u32, slot: &str, storage: &[Variable]) -> AnyView {
    let variables: Vec<AnyView> = storage
        .iter()
        .filter(|variable| variable.slot == slot)
        .map(|variable| {
            let width = u32::from(variable.bytes) * BYTE;
            let x = margin + (32 * BYTE).saturating_sub(u32::from(variable.offset) * BYTE + width);
            // About seven units a letter: what does not fit is in the table.
            let room = (width / 7) as usize;
            let label = variable.name.as_deref().unwrap_or(&variable.kind);
            let label = (label.chars().count() <= room).then(|| label.to_owned());
            view! {
                <rect class=format!("xray-bytes xray-{}", family(&variable.kind)) x=x y=y width=width height=BAR rx="2"></rect>
                <text class="xray-bytes-name" x=x + width / 2 y=y + 15 text-anchor="middle">{label}</text>
            }
            .erase()
        })
        .collect();
    view! {
        <text class="xray-slot-name" x=margin - 8 y=y + 15 text-anchor="end">{short(slot)}</text>
        <rect class="xray-slot" x=margin y=y width=32 * BYTE height=BAR rx="2"></rect>
        {variables}
    }
    .erase()
}

/// What it is drawn as. Never the only sign: the name is in it or in the table.
fn family(kind: &str) -> &'static str {
    match kind {
        "address" => "address",
        "bool" => "flag",
        _ if kind.starts_with("mapping") => "mapping",
        _ if kind.ends_with(']') || kind == "string" || kind == "bytes" => "list",
        _ => "number",
    }
}

/// A slot as it fits before its bar: hashes by their ends.
pub fn short(slot: &str) -> String {
    match (slot.get(..6), slot.get(slot.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if slot.len() > 14 => format!("{head}…{tail}"),
        _ => slot.to_owned(),
    }
}
