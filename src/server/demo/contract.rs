//! A deployed contract worth X-raying, always at the same address: the first transaction of an account that sends nothing else.

use serde_json::json;

use super::node::{Node, NodeError};
use crate::evm::Address;

/// Creation code as hexadecimal digits, compiled from `end2end/contracts/DemoToken.sol`.
const CREATION_CODE: &str = include_str!("../../../end2end/contracts/out/DemoToken.hex");

/// The node's tenth account.
const DEPLOYER: &str = "0xa0ee7a142d267c1f36714e4a8f75612f20a79720";

/// What the deployer's first transaction creates.
const PLACE: Address = Address([
    0x70, 0x0b, 0x6a, 0x60, 0xce, 0x7e, 0xaa, 0xea, 0x56, 0xf0, 0x65, 0x75, 0x3d, 0x8d, 0xcb, 0x96, 0x53, 0xdb, 0xad, 0x35,
]);

/// Puts it there, unless a chain that was kept has it already.
pub async fn deploy(node: &Node) -> Result<Address, NodeError> {
    let nonce = node.call("eth_getTransactionCount", json!([DEPLOYER, "latest"])).await?;
    if nonce == "0x0" {
        let code = format!("0x{}", CREATION_CODE.trim());
        node.must("the example contract", json!({ "from": DEPLOYER, "data": code })).await?;
    }
    Ok(PLACE)
}
