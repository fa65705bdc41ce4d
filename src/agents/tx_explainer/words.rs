//! The whole in one sentence, and the picture of what changed hands.

use std::collections::BTreeMap;

use alloy::primitives::U256;

use super::{
    call::Told,
    logs::{Grant, Granted, Moved},
    report::{Failure, Fee, Flow, KnownBy, Move, Party, Standard, Status},
    tokens::Assets,
    tx::{self, Tx},
};
use crate::{evm::Address, money::Amount};

const NOBODY: Address = Address([0; 20]);
/// Kinds of things that a sentence lists.
const LISTED_MAX: usize = 3;
/// Who is in the picture, and how many arrows.
const PARTIES_MAX: usize = 6;
const MOVES_MAX: usize = 12;

/// All that the sentence is made of.
#[derive(Debug)]
pub struct Case<'a> {
    pub status: Status,
    pub tx: Option<&'a Tx>,
    pub created: Option<Address>,
    /// The call itself.
    pub call: Option<&'a Told>,
    /// What changed hands, or is asked to.
    pub moved: &'a [Moved],
    pub granted: &'a [Granted],
    pub assets: &'a Assets,
    pub fee: Option<&'a Fee>,
    pub failure: Option<&'a Failure>,
    /// As a person calls it.
    pub network: &'a str,
}

pub fn sentence(case: &Case<'_>) -> String {
    let who = case.tx.and_then(|tx| tx.from).map(|from| from.short());
    let somebody = who.clone().unwrap_or_else(|| "Somebody".to_owned());
    let most = case.fee.and_then(|fee| fee.most.as_ref()).map(|most| most.words.as_str());
    let at_most = most.map(|most| format!(" for at most {most} in fees")).unwrap_or_default();
    match case.status {
        Status::Success => {
            let paid = case.fee.and_then(|fee| fee.paid.as_ref()).map(|paid| format!(" and paid {} in fees", paid.words));
            format!("{somebody} {}{}.", deed(case, Tense::Past), paid.unwrap_or_default())
        }
        Status::Reverted => {
            let paid = case.fee.and_then(|fee| fee.paid.as_ref()).map(|paid| format!(" The fee of {} was paid all the same.", paid.words));
            let why = case.failure.map(|failure| format!(" {}", failure.reason)).unwrap_or_default();
            format!("{somebody} tried to {}, but it failed and nothing moved.{why}{}", deed(case, Tense::Base), paid.unwrap_or_default())
        }
        Status::Pending => format!("{somebody} wants to {}{at_most}; no block holds it yet.", deed(case, Tense::Base)),
        Status::NotFound => {
            format!("{somebody} signed this to {}{at_most}; {} does not know it, so far.", deed(case, Tense::Base), case.network)
        }
        Status::Unsent => match who {
            Some(who) => format!("{who} signed this to {}{at_most}; it is for another network than {}.", deed(case, Tense::Base), case.network),
            None => format!("This transaction is not signed. It would {}{at_most}.", deed(case, Tense::Base)),
        },
        Status::CallData => format!("This call would {}.", deed(case, Tense::Base)),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Tense {
    Past,
    Base,
}

impl Tense {
    fn of(self, past: &'static str, base: &'static str) -> &'static str {
        if self == Self::Past { past } else { base }
    }
}

/// What was done, without who did it and what it cost: the first of these that applies.
fn deed(case: &Case<'_>, tense: Tense) -> String {
    let actor = case.tx.and_then(|tx| tx.from);
    if case.tx.is_some_and(|tx| tx.to.is_none()) {
        let at = case.created.map(|at| format!(" at {}", at.short())).unwrap_or_default();
        return format!("{} a contract{at}", tense.of("created", "create"));
    }
    traded(case, actor, tense)
        .or_else(|| delegated(case, tense))
        .or_else(|| allowed(case, actor, tense))
        .or_else(|| moved_for_others(case, tense))
        .unwrap_or_else(|| called(case, tense))
}

/// What the actor gave and got, in sum.
fn traded(case: &Case<'_>, actor: Option<Address>, tense: Tense) -> Option<String> {
    let (mut gave, mut got): (Vec<&Moved>, Vec<&Moved>) = (Vec::new(), Vec::new());
    for moved in case.moved {
        match (moved.from == actor, Some(moved.to) == actor) {
            (true, false) => gave.push(moved),
            (false, true) => got.push(moved),
            _ => {}
        }
    }
    let (out, into) = net(&gave, &got, case.assets);
    let whom = |all: &[&Moved], of: fn(&Moved) -> Option<Address>| -> Option<Option<Address>> {
        let mut parties: Vec<Option<Address>> = all.iter().map(|moved| of(moved)).collect();
        parties.sort();
        parties.dedup();
        if parties.len() == 1 { parties.first().copied() } else { None }
    };
    match (out.as_str(), into.as_str()) {
        ("", "") => None,
        (out, "") => Some(match whom(&gave, |moved| Some(moved.to)) {
            Some(Some(NOBODY)) => format!("{} {out}", tense.of("burned", "burn")),
            Some(Some(to)) => format!("{} {out} to {}", tense.of("sent", "send"), to.short()),
            _ => format!("{} {out} to several addresses", tense.of("sent", "send")),
        }),
        ("", into) => Some(match whom(&got, |moved| moved.from) {
            Some(Some(NOBODY)) => format!("{} {into}, newly made", tense.of("got", "get")),
            Some(Some(from)) => format!("{} {into} from {}", tense.of("got", "get"), from.short()),
            _ => format!("{} {into}", tense.of("got", "get")),
        }),
        (out, into) => {
            let through = case.call.and_then(|call| call.to).map(|to| format!(" through {}", to.short())).unwrap_or_default();
            Some(format!("{} {out} and {} {into}{through}", tense.of("gave", "give"), tense.of("got", "get")))
        }
    }
}

/// Both sides summed by asset: what came back is no gift. Things of collections are not summed.
fn net(gave: &[&Moved], got: &[&Moved], assets: &Assets) -> (String, String) {
    type Key = (u8, Option<Address>, Option<U256>);
    let mut sums: BTreeMap<Key, (U256, U256)> = BTreeMap::new();
    let mut order: Vec<(Key, &Moved)> = Vec::new();
    for (moved, is_out) in gave.iter().map(|moved| (*moved, true)).chain(got.iter().map(|moved| (*moved, false))) {
        let key = (moved.standard as u8, moved.token, moved.id);
        let sum = sums.entry(key).or_default();
        let side = if is_out { &mut sum.0 } else { &mut sum.1 };
        *side = side.saturating_add(tx::wide(moved.amount));
        if !order.iter().any(|(known, _)| *known == key) {
            order.push((key, moved));
        }
    }
    let (mut out, mut into) = (Vec::new(), Vec::new());
    for (key, moved) in order {
        let (gave, got) = sums[&key];
        let told = |amount: U256| assets.moved(&Moved { amount: tx::amount(amount), ..moved.clone() }).words;
        if gave > got {
            out.push(told(gave - got));
        } else if got > gave {
            into.push(told(got - gave));
        }
    }
    (list(&out), list(&into))
}

/// `a, b and 3 more`
fn list(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        many if many.len() <= LISTED_MAX => {
            let (last, first) = many.split_last().map_or((many[0].as_str(), &[][..]), |(last, first)| (last.as_str(), first));
            format!("{} and {last}", first.join(", "))
        }
        many => format!("{} and {} other things", many[..LISTED_MAX - 1].join(", "), many.len() - (LISTED_MAX - 1)),
    }
}

fn delegated(case: &Case<'_>, tense: Tense) -> Option<String> {
    let granted = case.granted.iter().find(|granted| granted.standard == Standard::Eip7702)?;
    let owner = granted.owner?.short();
    Some(match granted.grant {
        Grant::Account(true) => format!("{} the account {owner} run the code of {}", tense.of("made", "make"), granted.spender.short()),
        _ => format!("{} the delegation of the account {owner}", tense.of("ended", "end")),
    })
}

fn allowed(case: &Case<'_>, actor: Option<Address>, tense: Tense) -> Option<String> {
    let granted = case.granted.iter().find(|granted| granted.owner == actor).or(case.granted.first())?;
    let (allows, _, words) = case.assets.granted(granted);
    let spender = granted.spender.short();
    Some(match (allows, &granted.grant) {
        (super::report::Allows::Nothing, Grant::One(_)) => format!("{} permission to take {}", tense.of("took back", "take back"), case.assets.name(granted.token)),
        (super::report::Allows::Nothing, _) => format!("{} what {spender} may take: {words}", tense.of("lowered", "lower")),
        _ => format!("{} {spender} take {words}", tense.of("let", "let")),
    })
}

fn moved_for_others(case: &Case<'_>, tense: Tense) -> Option<String> {
    match case.moved {
        [] => None,
        [one] => {
            let from = one.from.map_or_else(|| "the sender".to_owned(), |from| from.short());
            let what = case.assets.moved(one).words;
            Some(match (one.from, one.to) {
                (Some(NOBODY), to) => format!("{} {what} for {}", tense.of("made", "make"), to.short()),
                (_, to) if one.from == Some(to) => format!("{} {what} from {from} to itself", tense.of("moved", "move")),
                (_, to) => format!("{} {what} from {from} to {}", tense.of("moved", "move"), to.short()),
            })
        }
        many => Some(format!("{} and {} {} things between others", called(case, tense), tense.of("moved", "move"), many.len())),
    }
}

fn called(case: &Case<'_>, tense: Tense) -> String {
    let Some(call) = case.call else { return tense.of("did nothing that is told", "do nothing that is told").to_owned() };
    let on = call.to.map(|to| format!(" on {}", to.short())).unwrap_or_default();
    match (call.name(), call.selector) {
        (Some(name), _) => format!("{} {name}{on}", tense.of("called", "call")),
        (None, Some(selector)) => {
            format!("{} a function that is not known here ({}){on}", tense.of("called", "call"), alloy::hex::encode_prefixed(selector))
        }
        (None, None) => {
            let to = match call.to {
                Some(to) if Some(to) == call.from => "itself".to_owned(),
                Some(to) => to.short(),
                None => "somebody".to_owned(),
            };
            let what = if call.known_by == KnownBy::Nothing { "an empty transaction" } else { "a message or data" };
            format!("{} {what} to {to}", tense.of("sent", "send"))
        }
    }
}

/// Who gave what to whom, in the order in which it happened.
pub fn flow(case: &Case<'_>) -> Flow {
    let mut flow = Flow::default();
    let sender = case.tx.and_then(|tx| tx.from);
    let called = case.call.and_then(|call| call.to);
    for moved in case.moved.iter().filter(|moved| !is_nothing(moved)) {
        if flow.moves.len() == MOVES_MAX {
            break;
        }
        let from = flow.place(moved.from, sender, called, case);
        let to = flow.place(Some(moved.to), sender, called, case);
        if let (Some(from), Some(to)) = (from, to) {
            flow.moves.push(Move { from, to, words: case.assets.moved(moved).words });
        }
    }
    flow
}

fn is_nothing(moved: &Moved) -> bool {
    moved.amount == Amount::ZERO
}

impl Flow {
    /// `None`: the picture is full.
    fn place(&mut self, who: Option<Address>, sender: Option<Address>, called: Option<Address>, case: &Case<'_>) -> Option<u32> {
        let address = who.map_or_else(|| "sender".to_owned(), |who| who.to_string());
        let place = match self.parties.iter().position(|party| party.address == address) {
            Some(place) => place,
            None if self.parties.len() == PARTIES_MAX => return None,
            None => {
                let label = match who {
                    None => "Sender".to_owned(),
                    Some(NOBODY) => "Made or burned".to_owned(),
                    who if who == sender => "Sender".to_owned(),
                    who if who == case.created => "New contract".to_owned(),
                    who if who == called => "Called contract".to_owned(),
                    Some(who) => who.short(),
                };
                self.parties.push(Party { address, label });
                self.parties.len() - 1
            }
        };
        u32::try_from(place).ok()
    }
}
