//! What a call asks for, from its data: what it would move and whom it would let take what. Whether it happens is the chain's to say.

use alloy::primitives::U256;

use super::{
    abi::Value,
    call::Told,
    logs::{Grant, Granted, Moved},
    report::{Basis, Standard},
    tx::{self, Tx},
};
use crate::{evm::Address, money::Amount};

#[derive(Debug, Default)]
pub struct Asked {
    pub moved: Vec<Moved>,
    pub granted: Vec<Granted>,
}

/// Of all calls; those inside others count as theirs.
pub fn of_calls(calls: &[Told]) -> Asked {
    let mut asked = Asked::default();
    for told in calls {
        asked.coin(told);
        asked.call(told);
    }
    asked
}

/// The accounts that let foreign code act as theirs (EIP-7702). That stands even where the rest of the transaction fails.
pub fn of_authorizations(tx: &Tx) -> Vec<Granted> {
    (tx.authorizations.iter())
        .filter_map(|authorization| {
            Some(Granted {
                standard: Standard::Eip7702,
                owner: Some(authorization.authority?),
                spender: authorization.code_of,
                token: None,
                grant: Grant::Account(authorization.code_of != Address([0; 20])),
                until: None,
                basis: Basis::Transaction,
            })
        })
        .collect()
}

impl Asked {
    fn coin(&mut self, told: &Told) {
        if let (false, Some(to)) = (told.value.is_zero() || told.is_delegate, told.to) {
            let basis = if told.depth == 0 { Basis::Transaction } else { Basis::CallData };
            self.moved.push(Moved { standard: Standard::Native, from: told.from, to, token: None, id: None, amount: told.value, basis });
        }
    }

    fn call(&mut self, told: &Told) {
        use Value::{Address as At, Bool, List, Tuple, Uint};
        let here = told.from;
        let moves = |standard, from: Option<Address>, to: [u8; 20], id: Option<U256>, amount: U256| Moved {
            standard,
            from,
            to: Address(to),
            token: told.to,
            id,
            amount: tx::amount(amount),
            basis: Basis::CallData,
        };
        let grants = |standard, owner: Option<Address>, spender: [u8; 20], grant: Grant| Granted {
            standard,
            owner,
            spender: Address(spender),
            token: told.to,
            grant,
            until: None,
            basis: Basis::CallData,
        };
        let at = |address: &[u8; 20]| Some(Address(*address));
        let all = |amount: &U256| Grant::Amount(tx::amount(*amount));
        match (told.signature(), told.values.as_slice()) {
            ("transfer(address,uint256)", [At(to), Uint(amount)]) => {
                self.moved.push(moves(Standard::Erc20, here, *to, None, *amount));
            }
            ("transferFrom(address,address,uint256)", [At(from), At(to), Uint(amount)]) => {
                self.moved.push(moves(Standard::Erc20, at(from), *to, None, *amount));
            }
            ("safeTransferFrom(address,address,uint256)" | "safeTransferFrom(address,address,uint256,bytes)", [At(from), At(to), Uint(id), ..]) => {
                self.moved.push(moves(Standard::Erc721, at(from), *to, Some(*id), U256::from(1)));
            }
            ("safeTransferFrom(address,address,uint256,uint256,bytes)", [At(from), At(to), Uint(id), Uint(amount), ..]) => {
                self.moved.push(moves(Standard::Erc1155, at(from), *to, Some(*id), *amount));
            }
            ("safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)", [At(from), At(to), List(ids), List(amounts), ..]) => {
                for pair in ids.iter().zip(amounts) {
                    if let (Uint(id), Uint(amount)) = pair {
                        self.moved.push(moves(Standard::Erc1155, at(from), *to, Some(*id), *amount));
                    }
                }
            }
            (signature, [At(from), At(to), Uint(amount), ..])
                if signature.starts_with("transferWithAuthorization(") || signature.starts_with("receiveWithAuthorization(") =>
            {
                self.moved.push(moves(Standard::Erc20, at(from), *to, None, *amount));
            }
            ("approve(address,uint256)", [At(spender), Uint(amount)]) => {
                self.granted.push(grants(Standard::Erc20, here, *spender, all(amount)));
            }
            ("increaseAllowance(address,uint256)" | "increaseApproval(address,uint256)", [At(spender), Uint(amount)]) => {
                self.granted.push(grants(Standard::Erc20, here, *spender, Grant::More(tx::amount(*amount))));
            }
            ("decreaseAllowance(address,uint256)" | "decreaseApproval(address,uint256)", [At(spender), Uint(amount)]) => {
                self.granted.push(grants(Standard::Erc20, here, *spender, Grant::Less(tx::amount(*amount))));
            }
            ("setApprovalForAll(address,bool)", [At(operator), Bool(approved)]) => {
                self.granted.push(grants(Standard::Erc721, here, *operator, Grant::All(*approved)));
            }
            ("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)" | "permit(address,address,uint256,uint256,bytes)", [At(owner), At(spender), Uint(amount), ..]) => {
                self.granted.push(grants(Standard::Erc20, at(owner), *spender, all(amount)));
            }
            // DAI's own: all or nothing.
            ("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", [At(owner), At(spender), _, _, Bool(allowed), ..]) => {
                let amount = if *allowed { U256::MAX } else { U256::ZERO };
                self.granted.push(grants(Standard::Erc20, at(owner), *spender, all(&amount)));
            }
            ("approve(address,address,uint160,uint48)", [At(token), At(spender), Uint(amount), Uint(until)]) => {
                self.permit2(here, token, spender, amount, until);
            }
            ("transferFrom(address,address,uint160,address)", [At(from), At(to), Uint(amount), At(token)]) => {
                self.moved.push(Moved { token: at(token), ..moves(Standard::Erc20, at(from), *to, None, *amount) });
            }
            ("PERMIT2_TRANSFER_FROM(address,address,uint160)", [At(token), At(to), Uint(amount)]) => {
                self.moved.push(Moved { token: at(token), ..moves(Standard::Erc20, here, *to, None, *amount) });
            }
            (signature, [At(owner), Tuple(permit), ..]) if signature.starts_with("permit(address,(") => self.permits(at(owner), permit),
            (signature, [Tuple(permit), ..]) if signature.starts_with("PERMIT2_PERMIT") => self.permits(here, permit),
            (signature, [Tuple(permit), Tuple(details), At(owner), ..])
                if signature.starts_with("permitTransferFrom(") || signature.starts_with("permitWitnessTransferFrom(") =>
            {
                if let ([Tuple(permitted), ..], [At(to), Uint(amount)]) = (permit.as_slice(), details.as_slice())
                    && let [At(token), ..] = permitted.as_slice()
                {
                    self.moved.push(Moved { token: at(token), ..moves(Standard::Erc20, at(owner), *to, None, *amount) });
                }
            }
            // x402's proxy.
            (signature, [Tuple(permit), At(owner), Tuple(witness), ..]) if signature.starts_with("settle(((") => {
                if let ([Tuple(permitted), ..], [At(to), ..]) = (permit.as_slice(), witness.as_slice())
                    && let [At(token), Uint(amount)] = permitted.as_slice()
                {
                    self.moved.push(Moved { token: at(token), ..moves(Standard::Erc20, at(owner), *to, None, *amount) });
                }
            }
            _ => {}
        }
    }

    /// Permit2's permit of one token or of several, for one spender.
    fn permits(&mut self, owner: Option<Address>, permit: &[Value]) {
        let [details, Value::Address(spender), ..] = permit else { return };
        let all = match details {
            Value::List(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        for details in all {
            if let Value::Tuple(details) = details
                && let [Value::Address(token), Value::Uint(amount), Value::Uint(until), ..] = details.as_slice()
            {
                self.permit2(owner, token, spender, amount, until);
            }
        }
    }

    fn permit2(&mut self, owner: Option<Address>, token: &[u8; 20], spender: &[u8; 20], amount: &U256, until: &U256) {
        self.granted.push(Granted {
            standard: Standard::Permit2,
            owner,
            spender: Address(*spender),
            token: Some(Address(*token)),
            grant: Grant::Amount(tx::amount(*amount)),
            until: u64::try_from(*until).ok(),
            basis: Basis::CallData,
        });
    }
}

/// More than there will ever be of any token: the largest number of 96 bits (tokens that keep no more), or from 128 bits on.
pub fn is_unlimited(amount: Amount) -> bool {
    let number = tx::wide(amount);
    number.bit_len() >= 128 || number == (U256::from(1) << 96) - U256::from(1)
}
