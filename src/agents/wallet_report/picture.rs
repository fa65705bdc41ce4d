//! A picture of who may take what: tokens on the left, spenders on the right, a line for each allowance that can be used.

use leptos::prelude::*;

use super::report::{Allowance, Spender, Token, short};
use crate::ui::Erase;

/// Of the picture, in its own units.
const WIDTH: usize = 400;
const STEP: usize = 40;
const BOX: usize = 28;
const BOX_WIDTH: usize = 130;
/// Letters that fit a box: about seven units each.
const LETTERS: usize = 17;
/// More on one side than this are in the table alone.
const SIDE_MAX: usize = 12;

/// For those who see it; the table beside it says the same in words.
#[component]
pub fn Picture<'a>(tokens: &'a [Token], spenders: &'a [Spender], allowances: &'a [Allowance]) -> impl IntoView {
    let usable: Vec<&Allowance> = allowances.iter().filter(|allowance| allowance.usable).collect();
    let left = side(usable.iter().map(|allowance| allowance.token.as_str()));
    let right = side(usable.iter().map(|allowance| allowance.spender.as_str()));
    let lines: Vec<AnyView> = usable
        .iter()
        .filter_map(|allowance| {
            let from = left.iter().position(|token| *token == allowance.token)?;
            let to = right.iter().position(|spender| *spender == allowance.spender)?;
            Some(line(from, to, allowance.unlimited))
        })
        .collect();
    let title = |address: &str| {
        let token = tokens.iter().find(|token| token.address == address).map(Token::title);
        token.or_else(|| spenders.iter().find(|spender| spender.address == address).map(Spender::title)).unwrap_or_else(|| short(address))
    };
    let boxes = |side: &[&str], x: usize| side.iter().enumerate().map(|(row, address)| boxed(&title(address), x, row)).collect::<Vec<_>>();
    let height = left.len().max(right.len()) * STEP + 2;
    view! {
        <figure class="wallet-picture" hidden=usable.is_empty()>
            <svg viewBox=format!("0 0 {WIDTH} {height}") role="img" aria-label="Which token each spender may take; the table below says the same">
                {lines}
                {boxes(&left, 1)}
                {boxes(&right, WIDTH - BOX_WIDTH - 1)}
            </svg>
            <figcaption>"What may be taken, and by whom: thick lines are without limit, thin ones up to an amount."</figcaption>
        </figure>
    }
    .erase()
}

/// Each once, in the order of the table.
fn side<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut side: Vec<&str> = Vec::new();
    for address in all {
        if !side.contains(&address) && side.len() < SIDE_MAX {
            side.push(address);
        }
    }
    side
}

fn line(from: usize, to: usize, unlimited: bool) -> AnyView {
    let middle = |row: usize| row * STEP + 1 + BOX / 2;
    let class = if unlimited { "wallet-line wallet-unlimited" } else { "wallet-line" };
    view! { <line class=class x1=BOX_WIDTH + 1 y1=middle(from) x2=WIDTH - BOX_WIDTH - 1 y2=middle(to)></line> }.erase()
}

fn boxed(title: &str, x: usize, row: usize) -> AnyView {
    let y = row * STEP + 1;
    let mut label: String = title.chars().take(LETTERS).collect();
    if title.chars().count() > LETTERS {
        label.pop();
        label.push('…');
    }
    view! {
        <rect class="wallet-box" x=x y=y width=BOX_WIDTH height=BOX rx="3"></rect>
        <text x=x + BOX_WIDTH / 2 y=y + 18 text-anchor="middle">{label}</text>
    }
    .erase()
}
