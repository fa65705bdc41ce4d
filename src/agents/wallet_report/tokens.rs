//! What tokens say that an address has of them. A token is believed about itself only, and only what can be true.

use std::collections::HashSet;

use alloy::{
    primitives::{Address as Word20, FixedBytes},
    sol_types::SolCall,
};

use super::{
    answers::{self, DECIMALS_MAX},
    ask::{Asker, StateSource, View},
    known,
    report::{Origin, Standard, Token},
};
use crate::{chain::Unavailable, evm::Address, money::Amount, network::Network};

alloy::sol! {
    function symbol() external view returns (string);
    function decimals() external view returns (uint8);
    function balanceOf(address account) external view returns (uint256);
    function supportsInterface(bytes4 id) external view returns (bool);
}

const ERC721: [u8; 4] = [0x80, 0xac, 0x58, 0xcd];
const ERC1155: [u8; 4] = [0xd9, 0xb6, 0x7a, 0x26];
/// What no contract supports (ERC-165): whoever says yes to it says yes to everything.
const NOTHING: [u8; 4] = [0xff; 4];

/// What is to be looked at, each once.
pub struct Wanted(pub Vec<(Address, Origin)>);

impl Wanted {
    pub fn new(groups: impl IntoIterator<Item = (Origin, Vec<Address>)>) -> Self {
        let mut seen = HashSet::new();
        let all = groups.into_iter().flat_map(|(origin, group)| group.into_iter().map(move |address| (address, origin)));
        Self(all.filter(|(address, _)| seen.insert(*address)).collect())
    }
}

/// In the order in which they are wanted.
pub async fn tokens<S: StateSource>(
    account: Address,
    wanted: &Wanted,
    asker: &Asker<'_, S>,
) -> Result<Vec<(Address, Token)>, Unavailable> {
    let holder = Word20::from(account.0);
    let questions = |(token, _): &(Address, Origin)| {
        let data =
            [symbolCall {}.abi_encode(), decimalsCall {}.abi_encode(), balanceOfCall { account: holder }.abi_encode()];
        data.map(|data| (*token, data))
    };
    let views: Vec<View> = wanted.0.iter().flat_map(questions).collect();
    let said = asker.views(&views).await?;
    let mut found: Vec<(Address, Token)> =
        wanted.0.iter().zip(said.chunks_exact(3)).map(|((at, origin), said)| (*at, told(*at, *origin, said))).collect();

    // Without decimals it may be a collection.
    let unsure: Vec<usize> = (0..found.len()).filter(|index| found[*index].1.decimals.is_none()).collect();
    let views: Vec<View> = unsure
        .iter()
        .flat_map(|index| {
            let token = found[*index].0;
            [ERC721, ERC1155, NOTHING].map(|id| (token, supportsInterfaceCall { id: FixedBytes(id) }.abi_encode()))
        })
        .collect();
    let said = asker.views(&views).await?;
    for (index, said) in unsure.into_iter().zip(said.chunks_exact(3)) {
        collection(&mut found[index].1, said);
    }
    Ok(found)
}

fn told(at: Address, origin: Origin, said: &[Option<Vec<u8>>]) -> Token {
    let answer = |index: usize| said.get(index).and_then(Option::as_deref).unwrap_or_default();
    let mut token = Token {
        address: at.to_string(),
        origin,
        standard: Standard::None,
        symbol: answers::symbol(answer(0)),
        decimals: None,
        balance: None,
        shown: None,
        pretends: false,
        note: None,
    };
    let Some(balance) = answers::word(answer(2)) else {
        token.symbol = None;
        token.note = Some(match said.iter().all(|said| said.as_ref().is_some_and(Vec::is_empty)) {
            true => "Nothing answers at this address: there is no token contract here.".to_owned(),
            false => "It does not answer as a token.".to_owned(),
        });
        return token;
    };
    token.standard = Standard::Erc20;
    token.balance = Some(balance.to_string());
    let claimed = answers::word(answer(1));
    token.decimals = answers::small(answer(1)).and_then(|claimed| u8::try_from(claimed).ok()).filter(|d| *d <= DECIMALS_MAX);
    let mut notes = Vec::new();
    match (token.decimals, claimed) {
        (Some(_), _) => {}
        (None, Some(claimed)) => {
            let claimed = if claimed <= Amount::from_atomic(9999) { claimed.to_string() } else { "absurdly many".to_owned() };
            notes.push(format!("It claims {claimed} decimals, which no token has: its amounts are in its smallest unit."));
        }
        (None, None) => notes.push("It tells no decimals: its amounts are in its smallest unit.".to_owned()),
    }
    match &token.symbol {
        None => notes.push("Its symbol cannot be shown.".to_owned()),
        Some(symbol) if !symbol.is_ascii() => {
            notes.push("Its symbol has letters beyond the Latin ones, which can look like others.".to_owned());
        }
        Some(_) => {}
    }
    token.note = (!notes.is_empty()).then(|| notes.join(" "));
    token.shown = Some(shown(balance, &token));
    token
}

/// Finds those that carry another's name, so that nobody takes them for it.
pub fn unmask(tokens: &mut [(Address, Token)], network: &Network) {
    let mut names: Vec<(Option<Address>, String)> =
        known::tokens(network).into_iter().map(|(address, symbol)| (Some(address), skeleton(&symbol))).collect();
    names.push((None, skeleton(&network.symbol)));
    for (at, token) in tokens.iter_mut().filter(|(_, token)| token.origin != Origin::Known) {
        let Some(looks_like) = token.symbol.as_deref().map(skeleton) else { continue };
        if names.iter().any(|(address, name)| *address != Some(*at) && *name == looks_like) {
            token.pretends = true;
            let balance = token.balance.as_ref().filter(|_| token.shown.is_some()).and_then(|balance| balance.parse().ok());
            token.shown = balance.map(|balance| shown(balance, token));
        }
    }
}

/// What a symbol looks like: capitals, with the letters of other alphabets that look like Latin ones, and nothing else.
fn skeleton(symbol: &str) -> String {
    const LOOKS_LIKE: &str = "АAВBЕEЅSІIЈJКKМMНHОOРPСCТTУYХXԀDΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧX0O";
    let latin = |c: char| {
        let mut pairs = LOOKS_LIKE.chars().step_by(2).zip(LOOKS_LIKE.chars().skip(1).step_by(2));
        pairs.find(|(other, _)| *other == c).map_or(c, |(_, latin)| latin)
    };
    symbol.chars().flat_map(char::to_uppercase).filter(|c| c.is_alphanumeric()).map(latin).collect()
}

/// An amount of it as a person reads it, exact.
pub fn shown(amount: Amount, token: &Token) -> String {
    let unit = match token.symbol {
        Some(_) => token.title(),
        None => format!("of {}", token.title()),
    };
    match (token.standard, token.decimals) {
        (Standard::Erc721, _) => format!("{amount} {}", if amount == Amount::from_atomic(1) { "piece" } else { "pieces" }),
        (_, Some(decimals)) => format!("{} {unit}", amount.to_units(decimals)),
        (_, None) => format!("{amount} smallest units of {}", token.title()),
    }
}

fn collection(token: &mut Token, said: &[Option<Vec<u8>>]) {
    let supports = |index: usize| said.get(index).and_then(Option::as_deref).and_then(answers::truth) == Some(true);
    if supports(2) {
        return; // it says yes to everything
    }
    match (supports(0), supports(1), &token.balance) {
        (true, _, Some(balance)) => {
            token.standard = Standard::Erc721;
            token.note = None;
            token.shown = balance.parse().ok().map(|balance| shown(balance, token));
        }
        (false, true, _) => {
            token.standard = Standard::Erc1155;
            (token.balance, token.shown) = (None, None);
            token.note = Some("An ERC-1155 collection: its balances are by piece and not counted here.".to_owned());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn word(number: u64) -> Option<Vec<u8>> {
        let mut word = vec![0; 24];
        word.extend(number.to_be_bytes());
        Some(word)
    }

    fn text(text: &str) -> Option<Vec<u8>> {
        let mut word = text.as_bytes().to_vec();
        word.resize(32, 0);
        Some(word)
    }

    fn of(said: &[Option<Vec<u8>>]) -> Token {
        told(Address([7; 20]), Origin::Given, said)
    }

    #[test]
    fn an_honest_token_is_told_to_its_last_digit() {
        let token = of(&[text("USDC"), word(6), word(1_000_001)]);
        assert_eq!((token.standard, token.shown.as_deref(), token.note.as_deref()), (Standard::Erc20, Some("1.000001 USDC"), None));
        let all = of(&[text("MAX"), word(18), Some(vec![0xff; 32])]);
        assert_eq!(
            all.shown.as_deref(),
            Some("115792089237316195423570985008687907853269984665640564039457.584007913129639935 MAX")
        );
    }

    #[test]
    fn what_does_not_answer_as_a_token_is_said_to_and_has_no_symbol() {
        for said in [[None, None, None], [text("USDC"), word(6), None], [text("USDC"), word(6), Some(vec![1])]] {
            let token = of(&said);
            assert_eq!((token.standard, token.symbol, token.shown), (Standard::None, None, None));
            assert_eq!(token.note.as_deref(), Some("It does not answer as a token."));
        }
        let nobody = of(&[Some(vec![]), Some(vec![]), Some(vec![])]);
        assert!(nobody.note.unwrap().starts_with("Nothing answers at this address"));
    }

    #[test]
    fn decimals_that_no_token_has_move_no_point() {
        for (claimed, words) in [(word(255), "claims 255 decimals"), (word(1000), "claims 1000"), (Some(vec![0xff; 32]), "absurdly")] {
            let token = of(&[text("ODD"), claimed, word(5)]);
            assert_eq!((token.decimals, token.shown.as_deref()), (None, Some("5 smallest units of ODD")));
            assert!(token.note.as_ref().unwrap().contains(words), "{:?}", token.note);
        }
        assert!(of(&[text("ODD"), None, word(5)]).note.unwrap().contains("tells no decimals"));
    }

    #[test]
    fn a_symbol_of_other_letters_is_told_from_the_latin_one() {
        let cyrillic = of(&[text("USD\u{421}"), word(6), word(5)]);
        assert!(cyrillic.note.unwrap().contains("beyond the Latin"));
    }

    #[test]
    fn a_symbol_looks_like_what_it_is_read_as() {
        for other in ["usdc", "USD\u{421}", "U.S.D.C", "\u{405}USDC".trim_start_matches('\u{405}'), "U\u{405}DC"] {
            assert_eq!(skeleton(other), "USDC", "{other}");
        }
        assert_eq!(skeleton("M\u{39f}N"), "MON");
        assert_ne!(skeleton("USDC.e"), "USDC", "bridged ones say so");
    }

    #[test]
    fn collections_are_counted_by_piece_unless_they_say_yes_to_everything() {
        let answers = |yes: [u64; 3]| yes.map(word);
        let with = |yes: [u64; 3]| {
            let mut token = of(&[text("TIX"), None, word(2)]);
            collection(&mut token, &answers(yes));
            token
        };
        let tickets = with([1, 0, 0]);
        assert_eq!((tickets.standard, tickets.shown.as_deref(), tickets.note), (Standard::Erc721, Some("2 pieces"), None));
        assert_eq!(with([0, 1, 0]).standard, Standard::Erc1155);
        assert_eq!(with([1, 1, 1]).standard, Standard::Erc20);
        assert_eq!(with([0, 0, 0]).standard, Standard::Erc20);
    }

    #[test]
    fn a_token_is_looked_at_once_in_the_first_group_that_has_it() {
        let at = |byte| Address([byte; 20]);
        let wanted = Wanted::new([(Origin::Known, vec![at(1)]), (Origin::Given, vec![at(2), at(1), at(2)])]);
        assert_eq!(wanted.0, [(at(1), Origin::Known), (at(2), Origin::Given)]);
    }
}
