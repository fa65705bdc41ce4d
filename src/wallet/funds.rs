//! What an account must have, and be, before its wallet is asked to pay: told with numbers, never tried (B5, B6).

use crate::{
    error::{CallError, Code},
    evm::Address,
    money::{Amount, Money},
    network::{Network, TRANSFER_GAS},
};

/// What lives at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// No code: an ordinary key.
    Plain,
    /// EIP-7702: a key that has lent itself a contract's code.
    Delegated,
    Contract,
}

impl Account {
    /// From `eth_getCode`.
    pub fn of_code(code: &str) -> Self {
        match code {
            "" | "0x" | "0x0" => Self::Plain,
            code if code.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("0xef0100")) => Self::Delegated,
            _ => Self::Contract,
        }
    }
}

/// Monad's reserve: a delegated account may not end a transaction below it (docs.monad.xyz, "Reserve balance"; facts in docs/protocol.md).
const MONAD_CHAINS: [u64; 2] = [143, 10143];
const MONAD_RESERVE: &str = "10";
/// Three of Monad's blocks, in which an account below the reserve may send once.
pub const MONAD_PAUSE_MS: i64 = 1_200;

fn monad_reserve(network: &Network) -> Option<Amount> {
    MONAD_CHAINS.contains(&network.chain_id).then(|| Amount::parse_units(MONAD_RESERVE, network.decimals).ok())?
}

/// Would it end below the reserve? Then a second payment has to keep [`MONAD_PAUSE_MS`] away from the first.
pub fn below_reserve(network: &Network, balance: Amount, price: &Money, fee: &Money) -> bool {
    let Some(reserve) = monad_reserve(network) else { return false };
    price.amount.plus(fee.amount).and_then(|needed| balance.minus(needed)).is_none_or(|left| left < reserve)
}

/// `fee`: exactly. It is told as everywhere, to three digits.
///
/// # Errors
/// [`Code::InsufficientFunds`] with the numbers.
pub fn may_pay(network: &Network, account: Account, balance: Amount, price: &Money, fee: &Money) -> Result<(), CallError> {
    if account == Account::Contract {
        // It sends no transaction of its own: whoever does, an owner or a bundler, bears the fee.
        return may_sign(network, balance, price);
    }
    let coin = |amount| network.coin(amount);
    let needed = price.amount.plus(fee.amount);
    let Some(left) = needed.and_then(|needed| balance.minus(needed)) else {
        // What is short by less than the last digit is told exactly: it would read as enough.
        let told = Some(fee.rounded()).filter(|fee| price.amount.plus(fee.amount).is_some_and(|needed| needed > balance));
        let fee = told.unwrap_or_else(|| fee.clone());
        let needed = price.amount.plus(fee.amount);
        let needed = needed.map_or_else(|| "more than there is".to_owned(), |needed| coin(needed).to_string());
        return Err(CallError::saying(
            Code::InsufficientFunds,
            format!(
                "Your wallet has {} on {}. This call needs {needed}: {price} and about {fee} network fee. Nothing was charged.",
                coin(balance),
                network.name
            ),
        ));
    };
    match monad_reserve(network) {
        Some(reserve) if account == Account::Delegated && left < reserve => Err(CallError::saying(
            Code::InsufficientFunds,
            format!(
                "Your account is delegated to a contract (EIP-7702). {} lets such an account pay only while it keeps {}, and {} would be \
                 left. Add coins, end the delegation, or use another account. Nothing was charged.",
                network.name,
                coin(reserve),
                coin(left)
            ),
        )),
        _ => Ok(()),
    }
}

/// Of a token, or a wallet that is a contract: the payer sends nothing, so that the price is all.
///
/// # Errors
/// [`Code::InsufficientFunds`] with the numbers.
pub fn may_sign(network: &Network, balance: Amount, price: &Money) -> Result<(), CallError> {
    if balance >= price.amount {
        return Ok(());
    }
    Err(CallError::saying(
        Code::InsufficientFunds,
        format!("Your wallet has {} on {}. This call needs {price}. Nothing was charged.", price.with(balance), network.name),
    ))
}

/// The parameters of `eth_call` for a token's `balanceOf(owner)`, as JSON.
pub fn balance_json(token: Address, owner: Address) -> String {
    // keccak256("balanceOf(address)"), its first four bytes; then the address as a word.
    let owner = owner.to_string();
    format!(r#"[{{"to":"{token}","data":"0x70a08231{:0>64}"}},"latest"]"#, owner.trim_start_matches("0x"))
}

/// The parameters of `eth_sendTransaction` for a plain transfer (B4), as JSON. The gas is given exactly where the recipient has no code, since
/// Monad charges the limit; elsewhere the wallet estimates it.
pub fn transfer_json(from: Address, to: Address, value: Amount, network: &Network, recipient: Account) -> String {
    let gas = match recipient {
        Account::Plain => format!(r#","gas":"{TRANSFER_GAS:#x}""#),
        Account::Delegated | Account::Contract => String::new(),
    };
    format!(
        r#"[{{"from":"{from}","to":"{to}","value":"{}","chainId":"{}"{gas}}}]"#,
        value.to_hex_quantity(),
        network.chain_id_hex()
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn mon(text: &str) -> Amount {
        Amount::parse_units(text, 18).unwrap()
    }

    fn verdict(chain_id: u64, account: Account, balance: &str) -> Result<(), CallError> {
        let network = Network::of_monads(chain_id);
        may_pay(&network, account, mon(balance), &network.coin(mon("0.0001")), &network.coin(mon("0.0021")))
    }

    #[test]
    fn b5_too_little_is_said_with_the_numbers() {
        let error = verdict(31337, Account::Plain, "0.002").unwrap_err();
        assert_eq!(error.code, Code::InsufficientFunds);
        for number in ["0.002 MON", "0.0022 MON", "0.0001 MON", "0.0021 MON"] {
            assert!(error.error.contains(number), "{number} in {:?}", error.error);
        }
        assert_eq!(verdict(31337, Account::Plain, "0.0022"), Ok(()), "to the wei");
    }

    #[test]
    fn p4_what_is_missing_is_told_with_the_fee_that_stands_everywhere_and_judged_exactly() {
        let network = Network::of_monads(143);
        let (price, fee) = (network.coin(mon("0.0001")), network.coin(mon("0.002142000000000021")));
        let told = |balance: &str| may_pay(&network, Account::Plain, mon(balance), &price, &fee).map_err(|error| error.error);
        let short = told("0.002").unwrap_err();
        assert!(short.contains("This call needs 0.00224 MON: 0.0001 MON and about 0.00214 MON network fee."), "{short}");
        let barely = told("0.00224").unwrap_err();
        assert!(barely.contains("needs 0.002242000000000021 MON"), "never \"you have 0.00224, it needs 0.00224\": {barely}");
        assert_eq!(told("0.002242000000000021"), Ok(()));
    }

    #[test]
    fn b5_too_few_dollars_are_said_with_the_numbers() {
        let asset = crate::money::Asset { network: "eip155:143".into(), token: Some(Address([7; 20])) };
        let price = Money { amount: Amount::from_atomic(1_000), asset, symbol: "USDC".into(), decimals: 6 };
        let error = may_sign(&Network::of_monads(143), Amount::from_atomic(999), &price).unwrap_err();
        assert_eq!(error.code, Code::InsufficientFunds);
        assert_eq!(error.error, "Your wallet has 0.000999 USDC on Monad. This call needs 0.001 USDC. Nothing was charged.");
        assert_eq!(may_sign(&Network::of_monads(143), Amount::from_atomic(1_000), &price), Ok(()), "there is no fee beside it");
    }

    #[test]
    fn a_balance_is_asked_of_the_token_itself() {
        let json: serde_json::Value = serde_json::from_str(&balance_json(Address([0x77; 20]), Address([0x01; 20]))).unwrap();
        let data = format!("0x70a08231{}{}", "00".repeat(12), "01".repeat(20));
        assert_eq!(json, serde_json::json!([{ "to": Address([0x77; 20]), "data": data }, "latest"]));
    }

    #[test]
    fn b6_a_delegated_account_keeps_monads_reserve() {
        for chain in [143, 10143] {
            assert!(verdict(chain, Account::Delegated, "10.0021").unwrap_err().error.contains("10 MON"));
            assert_eq!(verdict(chain, Account::Delegated, "10.0022"), Ok(()));
            assert_eq!(verdict(chain, Account::Plain, "1"), Ok(()), "an undelegated account may go below");
        }
        assert_eq!(verdict(31337, Account::Delegated, "1"), Ok(()), "only Monad has the rule");
    }

    #[test]
    fn p1_a_contract_pays_from_what_it_holds_and_its_fee_is_who_sends_its() {
        assert_eq!(verdict(143, Account::Contract, "0.0001"), Ok(()));
        let short = verdict(143, Account::Contract, "0.00009").unwrap_err();
        assert_eq!((short.code, short.error.contains("needs 0.0001 MON")), (Code::InsufficientFunds, true), "{short:?}");
    }

    #[test]
    fn code_tells_what_an_account_is() {
        assert_eq!(Account::of_code("0x"), Account::Plain);
        assert_eq!(Account::of_code("0xEF0100deadbeef"), Account::Delegated);
        assert_eq!(Account::of_code("0x6080"), Account::Contract);
        assert_eq!(Account::of_code("0x60806040é"), Account::Contract);
    }

    #[test]
    fn b4_the_transaction_says_everything_exactly() {
        let (from, to) = (Address([0x11; 20]), Address([0x22; 20]));
        let json: serde_json::Value =
            serde_json::from_str(&transfer_json(from, to, mon("0.0001"), &Network::of_monads(10143), Account::Plain)).unwrap();
        assert_eq!(
            json,
            serde_json::json!([{
                "from": from, "to": to, "value": "0x5af3107a4000", "chainId": "0x279f", "gas": "0x5208",
            }])
        );
        assert!(!transfer_json(from, to, mon("1"), &Network::of_monads(1), Account::Contract).contains("gas"));
    }
}
