//! The demo's dollar, with what x402 needs beside a token: Permit2, and the proxy that settles through it.
//!
//! All of it is ours, from `end2end/contracts/`; the stand-ins stand where the real ones do on other networks, so that unmodified clients find
//! them. Amounts are in 10⁻⁶ dollars.

use serde_json::{Value, json};

use super::{
    WALLET,
    node::{Node, NodeError},
};
use crate::{evm::Address, money::Amount, network::Token};

/// Creation code as hexadecimal digits.
const CREATION_CODE: &str = include_str!("../../../end2end/contracts/out/DemoDollar.hex");

/// The node's ninth account, which sends nothing but this.
const DEPLOYER: &str = "0x23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f";

/// What the deployer's first transaction creates.
pub const DOLLAR: Address = Address([
    0x95, 0xbd, 0x8d, 0x42, 0xf3, 0x03, 0x51, 0x68, 0x5e, 0x96, 0xc6, 0x2e, 0xdd, 0xc0, 0xd0, 0x61, 0x3b, 0xf9, 0xa8, 0x7a,
]);

/// Where x402's clients look for them, on every network, and the code that stands there.
const STANDINS: [(&str, &str); 2] = [
    ("0x000000000022d473030f116ddee9f6b43ac78ba3", include_str!("../../../end2end/contracts/out/Permit2Standin.hex")),
    ("0x402085c248eea27d92e8b30b2c58ed07f9e20001", include_str!("../../../end2end/contracts/out/ExactProxyStandin.hex")),
];

/// What the demo wallet begins with: 1,000 dollars.
const START: u128 = 1_000_000_000;

/// As the shop offers it.
pub fn token() -> Token {
    Token {
        address: DOLLAR,
        symbol: "USDC".to_owned(),
        decimals: 6,
        name: "Demo Dollar".to_owned(),
        version: "2".to_owned(),
        eip3009: true,
        permit2: true,
    }
}

/// Puts the dollar and the stand-ins there, and dollars into the demo wallet. A chain that was kept gets what it lacks, nothing twice.
pub async fn deploy(node: &Node) -> Result<(), NodeError> {
    for (place, code) in STANDINS {
        node.call("anvil_setCode", json!([place, hex(code)])).await?;
    }
    // One transaction after the other, so the count of them says how far it came, also if it was stopped in between.
    let sent = node.call("eth_getTransactionCount", json!([DEPLOYER, "latest"])).await?;
    if sent == "0x0" {
        node.must("the dollar", json!({ "from": DEPLOYER, "data": hex(CREATION_CODE) })).await?;
    }
    if sent == "0x0" || sent == "0x1" {
        node.must("the demo wallet's dollars", mint(DEPLOYER, WALLET, Amount::from_atomic(START))).await?;
    }
    Ok(())
}

/// A transaction that makes `amount` for somebody: anybody may.
pub fn mint(from: &str, to: Address, amount: Amount) -> Value {
    let words: [[u8; 32]; 2] = [word(to), amount.to_be_bytes()];
    let digits: String = words.as_flattened().iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "from": from, "to": DOLLAR, "data": format!("0x40c10f19{digits}") }) // mint(address,uint256)
}

fn word(address: Address) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address.0);
    word
}

fn hex(code: &str) -> String {
    format!("0x{}", code.trim())
}
