//! Who may take what: tokens' own allowances, Permit2's, and operators of collections.

use alloy::{
    primitives::Address as Word20,
    sol_types::SolCall,
};

use super::{
    answers,
    ask::{Asker, StateSource, View},
    report::{Allowance, Spender, Standard, Token, Via},
    tokens::shown,
};
use crate::{
    chain::{PERMIT2, Unavailable},
    evm::Address,
    money::Amount,
    ui::utc_text,
};

mod token {
    alloy::sol! {
        function allowance(address owner, address spender) external view returns (uint256);
        function isApprovedForAll(address owner, address operator) external view returns (bool);
    }
}

alloy::sol! {
    /// Permit2's: the amount (160 bits), until when (48 bits, Unix seconds), and permits so far (48 bits).
    function allowance(address owner, address token, address spender) external view returns (uint160, uint48, uint48);
}

/// Later than this (Unix seconds, the year 9999) is never.
const NEVER_S: u64 = 253_402_300_800;

/// Whom, of what.
pub struct Parties<'a> {
    pub owner: Address,
    pub tokens: &'a [(Address, Token)],
    pub spenders: &'a [(Address, Spender)],
    /// Permit2 is there to be asked.
    pub has_permit2: bool,
}

/// What is allowed, by token, then by spender; and whether Permit2 answered wherever it was asked.
pub async fn allowances<S: StateSource>(
    parties: &Parties<'_>,
    asker: &Asker<'_, S>,
) -> Result<(Vec<Allowance>, bool), Unavailable> {
    let asked = questions(parties);
    let said = asker.views(&asked.iter().map(|question| (question.to, question.data.clone())).collect::<Vec<View>>()).await?;
    let mut found: Vec<Allowance> = Vec::new();
    let mut silent = false;
    for (question, said) in asked.iter().zip(said) {
        let said = said.unwrap_or_default();
        match question.via {
            Via::Token => found.extend(of_token(question, &said)),
            Via::Operator => found.extend((answers::truth(&said) == Some(true)).then(|| operator(question))),
            Via::Permit2 => match permit2(&said) {
                None => silent = true,
                Some(inner) => {
                    let is_open = found.iter().any(|outer| is_outer(outer, question));
                    found.extend(of_permit2(question, inner, is_open, asker.at.time_s));
                }
            },
        }
    }
    Ok((found, parties.has_permit2 && !silent))
}

struct Question<'a> {
    to: Address,
    data: Vec<u8>,
    via: Via,
    token: &'a Token,
    spender: &'a Spender,
}

fn questions<'a>(parties: &Parties<'a>) -> Vec<Question<'a>> {
    let owner = Word20::from(parties.owner.0);
    let mut all = Vec::new();
    for (at, token) in parties.tokens {
        let is_collection = match token.standard {
            Standard::None => continue,
            Standard::Erc721 | Standard::Erc1155 => true,
            Standard::Erc20 => false,
        };
        // The token's own first: whether Permit2's hold depends on them.
        for (spender_at, spender) in parties.spenders {
            let address = Word20::from(spender_at.0);
            let (via, data) = match is_collection {
                true => (Via::Operator, token::isApprovedForAllCall { owner, operator: address }.abi_encode()),
                false => (Via::Token, token::allowanceCall { owner, spender: address }.abi_encode()),
            };
            all.push(Question { to: *at, data, via, token, spender });
        }
        if is_collection || !parties.has_permit2 {
            continue;
        }
        for (spender_at, spender) in parties.spenders.iter().filter(|(address, _)| *address != PERMIT2) {
            let call = allowanceCall { owner, token: Word20::from(at.0), spender: Word20::from(spender_at.0) };
            all.push(Question { to: PERMIT2, data: call.abi_encode(), via: Via::Permit2, token, spender });
        }
    }
    all
}

fn is_outer(outer: &Allowance, inner: &Question<'_>) -> bool {
    outer.via == Via::Token && outer.token == inner.token.address && outer.spender == PERMIT2.to_string()
}

fn of_token(question: &Question<'_>, said: &[u8]) -> Option<Allowance> {
    let amount = answers::word(said).filter(|amount| !amount.is_zero())?;
    Some(allowance(question, amount))
}

fn allowance(question: &Question<'_>, amount: Amount) -> Allowance {
    let unlimited = answers::is_unlimited(amount);
    Allowance {
        token: question.token.address.clone(),
        spender: question.spender.address.clone(),
        via: question.via,
        amount: Some(amount.to_string()),
        shown: if unlimited { "unlimited".to_owned() } else { shown(amount, question.token) },
        unlimited,
        expires_s: None,
        nonce: None,
        usable: true,
        note: None,
    }
}

fn operator(question: &Question<'_>) -> Allowance {
    Allowance { amount: None, shown: "all pieces".to_owned(), unlimited: true, ..allowance(question, Amount::ZERO) }
}

/// Amount, until when, permits so far. `None`: this is not what Permit2 answers.
fn permit2(said: &[u8]) -> Option<(Amount, u64, u64)> {
    let (amount, rest) = said.split_at_checked(32)?;
    let (expires, nonce) = rest.split_at_checked(32)?;
    Some((answers::word(amount)?, answers::small(expires)?, answers::small(nonce)?))
}

fn of_permit2(question: &Question<'_>, inner: (Amount, u64, u64), is_open: bool, now_s: u64) -> Option<Allowance> {
    let (amount, expires_s, nonce) = inner;
    if amount.is_zero() {
        return None;
    }
    // The last second counts: Permit2 refuses what is later.
    let is_over = now_s > expires_s;
    let until = match expires_s {
        NEVER_S.. => "for ever".to_owned(),
        seconds => format!("until {}", utc_text(i64::try_from(seconds).unwrap_or_default().saturating_mul(1000))),
    };
    let note = match (is_over, is_open) {
        (true, _) => format!("It held {until}."),
        (false, false) => format!("It would hold {until}, but Permit2 itself may not take this token now."),
        (false, true) => format!("It holds {until}."),
    };
    Some(Allowance {
        expires_s: Some(expires_s),
        nonce: Some(nonce),
        usable: is_open && !is_over,
        note: Some(note),
        ..allowance(question, amount)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::report::Origin, *};

    fn token() -> Token {
        Token {
            address: Address([7; 20]).to_string(),
            origin: Origin::Given,
            standard: Standard::Erc20,
            symbol: Some("USDC".to_owned()),
            decimals: Some(6),
            balance: Some("0".to_owned()),
            shown: None,
            pretends: false,
            note: None,
        }
    }

    fn of(inner: (u128, u64), is_open: bool, now_s: u64) -> Option<Allowance> {
        let spender = Spender { address: Address([9; 20]).to_string(), name: None, contract: true };
        let question = Question { to: PERMIT2, data: Vec::new(), via: Via::Permit2, token: &token(), spender: &spender };
        of_permit2(&question, (Amount::from_atomic(inner.0), inner.1, 3), is_open, now_s)
    }

    #[test]
    fn permit2_s_last_second_still_holds() {
        assert!(of((5, 1000), true, 1000).unwrap().usable);
        let over = of((5, 1000), true, 1001).unwrap();
        assert!(!over.usable && over.note.unwrap().starts_with("It held until 1 Jan 1970"));
    }

    #[test]
    fn what_permit2_may_not_take_itself_nobody_takes_through_it() {
        let closed = of((5, 1000), false, 0).unwrap();
        assert!(!closed.usable && closed.note.unwrap().contains("may not take this token"));
    }

    #[test]
    fn the_longest_and_largest_permit_has_words() {
        let all = of((u128::MAX, (1 << 48) - 1), true, 0).unwrap();
        assert_eq!((all.unlimited, all.note.as_deref()), (false, Some("It holds for ever.")));
        assert_eq!(of((0, 1000), true, 0), None);
    }

    #[test]
    fn three_words_are_permit2_s_answer_and_nothing_else_is() {
        assert_eq!(permit2(&[0; 96]), Some((Amount::ZERO, 0, 0)));
        for bad in [0, 32, 64, 95, 97, 128] {
            assert_eq!(permit2(&vec![0; bad]), None, "{bad}");
        }
    }
}
