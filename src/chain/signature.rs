//! Whether a contract says that a signature is its own (ERC-1271), also one that is not there yet (ERC-6492).
//!
//! Asked by `eth_call` alone: nothing is sent, nothing is deployed, nobody pays. A signature of ERC-6492 brings along how its contract would be made,
//! which is a call of a contract of its maker's choice: it runs in the node's memory, with gas that has an end, and all that comes back is one byte.

use alloy::{
    hex,
    primitives::{Address as Word20, B256, Bytes, U256},
    sol_types::{SolCall, SolValue},
};
use serde_json::{Value, json};

use super::{
    Chain, Unavailable,
    node::{Call, Fault, Said},
    question::One,
    rpc::ran,
    token::ContractWallet,
};
use crate::evm::Address;

/// What stands behind a signature whose wallet may not exist yet (ERC-6492).
pub const ERC6492_SUFFIX: [u8; 32] = hex!("6492649264926492649264926492649264926492649264926492649264926492");

/// Gas of one look at a signature: a passkey's curve in plain bytecode takes 350,000, a dozen owners 100,000. It bounds the answer too, to a megabyte.
const LOOK_GAS: u64 = 2_000_000;
/// The same with the contract made first: wallets take 100,000 to 1,000,000 for that.
const MAKE_GAS: u64 = 5_000_000;

/// Creation code that makes nothing: it asks a contract whether a signature is its own; if it does not say so, calls the factory, and asks once more.
/// What it returns as the "code" of a contract is one byte, 1 for yes. Ours, and short enough to be read: a key's signature is checked before, and no node
/// has to know a contract of somebody else's.
///
/// Behind it stand its arguments: the account, the factory and the length of the factory's calldata, a word each; that calldata; and then, up to the
/// end, the whole call of `isValidSignature`. `[a, b]` is the stack, its top first.
///
/// ```text
/// 00  PUSH1 5e  DUP1  CODESIZE  SUB        [size, 5e]        what stands behind the code
/// 05  DUP1  SWAP2  PUSH1 20  CODECOPY      [size]            20: account, 40: factory, 60: its length, 80: its bytes, the call
/// 0a  PUSH1 60  MLOAD  PUSH1 60  ADD       [made+60, size]
/// 10  DUP1  SWAP2  SUB                     [asked, made+60]  length of the call
/// 13  SWAP1  PUSH1 20  ADD  PUSH1 00       [again=0, at, asked]
/// 19  JUMPDEST
/// 1a  PUSH1 20  PUSH1 00  DUP5  DUP5       [at, asked, 00, 20, again, at, asked]
/// 20  PUSH1 20  MLOAD  GAS  STATICCALL     [ran, again, …]   the answer's first word is at 00
/// 25  PUSH1 1f  RETURNDATASIZE  GT  AND    [ran & a whole word, again, …]
/// 2a  PUSH4 1626ba7e  PUSH1 e0  SHL        ERC-1271's word, to the last zero: what echoes its input (a precompile) is no wallet
/// 32  PUSH1 00  MLOAD  EQ  AND             [yes, again, …]
/// 37  DUP2  DUP2  OR  PUSH1 55  JUMPI      [yes, again, …]   yes, or the second time: done
/// 3d  POP                                  [0, at, asked]
/// 3e  PUSH1 00  PUSH1 00  PUSH1 60  MLOAD  PUSH1 80  PUSH1 00  PUSH1 40  MLOAD  GAS  CALL
/// 4e  POP  PUSH1 01  OR  PUSH1 19  JUMP    [again=1, at, asked]   whatever the factory said, the account has the word
/// 55  JUMPDEST  PUSH1 00  MSTORE8  PUSH1 01  PUSH1 00  RETURN
/// ```
const ASKS_AND_MAKES: [u8; 0x5e] = hex!(
    "605e8038038091602039"
    "606051606001"
    "80910390602001"
    "6000"
    "5b"
    "602060008484"
    "6020515afa"
    "601f3d1116"
    "631626ba7e60e01b"
    "6000511416"
    "818117605557"
    "50"
    "60006000606051608060006040515af1"
    "50600117601956"
    "5b60005360016000f3"
);

/// A signature of ERC-6492, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrapped {
    factory: Word20,
    /// Calldata by which the factory makes the wallet, or makes it ready.
    makes: Bytes,
    /// What the wallet itself is asked about.
    signature: Bytes,
}

impl Wrapped {
    /// `None`: it ends like one and is none.
    fn read(signature: &[u8]) -> Option<Self> {
        let (factory, makes, signature) =
            <(Word20, Bytes, Bytes)>::abi_decode_params(signature.strip_suffix(&ERC6492_SUFFIX)?).ok()?;
        Some(Self { factory, makes, signature })
    }
}

/// A contract's signature may be one at all: what ends like ERC-6492 also is such a one. Asks nobody.
pub fn may_be_a_contracts(signature: &[u8]) -> bool {
    !signature.ends_with(&ERC6492_SUFFIX) || Wrapped::read(signature).is_some()
}

impl Chain {
    /// Does the account's contract say that it has signed this hash? As of the newest block. `false` too where there is no contract, and where its
    /// code fails or takes more gas than a look is worth.
    ///
    /// # Errors
    /// No node could tell, which is never "no".
    pub async fn has_signed(&self, account: Address, hash: [u8; 32], signature: &[u8]) -> Result<bool, Unavailable> {
        match question(account, hash.into(), signature) {
            Some(question) => self.answer(&question).await,
            None => Ok(false),
        }
    }
}

fn question(account: Address, hash: B256, signature: &[u8]) -> Option<One<bool>> {
    let asked = |signature: Bytes| ContractWallet::isValidSignatureCall { hash, signature }.abi_encode();
    let call = |transaction: Value| Call::new("eth_call", json!([transaction, "latest"]));
    if !signature.ends_with(&ERC6492_SUFFIX) {
        let data = hex::encode_prefixed(asked(Bytes::copy_from_slice(signature)));
        let call = call(json!({"to": account, "data": data, "gas": format!("{LOOK_GAS:#x}")}));
        return Some(One { call, read: wallet_says_yes });
    }
    let Wrapped { factory, makes, signature } = Wrapped::read(signature)?;
    let words = (Word20::from(account.0), factory, U256::from(makes.len())).abi_encode();
    let data = [&ASKS_AND_MAKES[..], &words, &makes, &asked(signature)].concat();
    let call = call(json!({"data": hex::encode_prefixed(data), "gas": format!("{MAKE_GAS:#x}")}));
    Some(One { call, read: ours_says_yes })
}

/// ERC-1271's word, to its last zero: what echoes its input, as a precompile does, begins like it.
fn wallet_says_yes(said: Said) -> Result<bool, Fault> {
    let mut yes = [0; 32];
    yes[..4].copy_from_slice(&ContractWallet::isValidSignatureCall::SELECTOR);
    Ok(ran(said)?.is_some_and(|answer| answer.starts_with(&yes)))
}

/// What [`ASKS_AND_MAKES`] leaves.
fn ours_says_yes(said: Said) -> Result<bool, Fault> {
    Ok(ran(said)?.is_some_and(|answer| answer == [1]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wrapped() -> Vec<u8> {
        let inner = (Word20::repeat_byte(0xfa), Bytes::from(vec![1, 2, 3]), Bytes::from(vec![9; 65]));
        [inner.abi_encode_params(), ERC6492_SUFFIX.to_vec()].concat()
    }

    #[test]
    fn p5_a_wrapped_signature_is_taken_apart_or_is_none() {
        let read = Wrapped::read(&wrapped()).unwrap();
        assert_eq!((read.factory, &read.makes[..], read.signature.len()), (Word20::repeat_byte(0xfa), &[1, 2, 3][..], 65));
        assert!(may_be_a_contracts(&wrapped()) && may_be_a_contracts(&[]) && may_be_a_contracts(&[7; 65]));
        // It says that it is one, and is not: no node hears of it.
        let mut short = wrapped();
        short.drain(..40);
        for bad in [ERC6492_SUFFIX.to_vec(), short, [vec![0xff; 96], ERC6492_SUFFIX.to_vec()].concat()] {
            assert!(!may_be_a_contracts(&bad), "{}", hex::encode(&bad));
            assert!(question(Address([1; 20]), B256::ZERO, &bad).is_none());
        }
    }

    #[test]
    fn p5_only_erc_1271s_whole_word_is_a_yes() {
        let said = |bytes: &[u8]| Ok(serde_json::value::to_raw_value(&hex::encode_prefixed(bytes)).unwrap());
        let mut word = [0; 32];
        word[..4].copy_from_slice(&hex!("1626ba7e"));
        assert!(wallet_says_yes(said(&word)).unwrap() && ours_says_yes(said(&[1])).unwrap());
        let mut echoed = word;
        echoed[31] = 1;
        for no in [&echoed[..], &word[..31], &word[..4], &[], &[0], &[1], &[1, 1], &[0xff; 32]] {
            assert!(!wallet_says_yes(said(no)).unwrap(), "{}", hex::encode(no));
        }
        for no in [&word[..], &[], &[0], &[1, 1]] {
            assert!(!ours_says_yes(said(no)).unwrap(), "{}", hex::encode(no));
        }
    }

    #[test]
    fn p5_the_code_jumps_to_where_it_says() {
        assert_eq!((ASKS_AND_MAKES[0x19], ASKS_AND_MAKES[0x55], ASKS_AND_MAKES[1]), (0x5b, 0x5b, 0x5e));
        assert_eq!((ASKS_AND_MAKES[0x3b], ASKS_AND_MAKES[0x53]), (0x55, 0x19));
    }
}
