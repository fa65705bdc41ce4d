//! A chain with the demo dollar on it, payers who own some, and their signatures: made here from the specifications, not by our own code.

use std::sync::Arc;

use alloy::{
    primitives::{Address as Word20, B256, U256, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::{SolCall, SolStruct, eip712_domain},
};
use coinslot::{
    chain::token as proxy,
    evm::{Address, TxHash},
    network::Token,
    x402::{
        facilitator::{Facilitator, Operator},
        wire::{Offer, PaymentRequired},
    },
};
use serde_json::{Value, json};

use crate::harness::{Node, SHOP, Shop, Staff, payload_for};

/// 0.001 USDC.
pub const PRICE: u64 = 1_000;
/// What each payer owns at first.
pub const PURSE: u64 = 1_000_000;

const DEPLOYER: usize = 8;
pub const OPERATOR: usize = 7;
pub const PERMIT2: &str = "0x000000000022d473030f116ddee9f6b43ac78ba3";
pub const EXACT_PROXY: &str = "0x402085c248eea27d92e8b30b2c58ed07f9e20001";

sol! {
    struct TransferWithAuthorization {
        address from; address to; uint256 value; uint256 validAfter; uint256 validBefore; bytes32 nonce;
    }
    struct CancelAuthorization { address authorizer; bytes32 nonce; }
    struct Permit { address owner; address spender; uint256 value; uint256 nonce; uint256 deadline; }
    struct Call3 { address target; bool allowFailure; bytes callData; }
    function aggregate3(Call3[] calls);
    struct TokenPermissions { address token; uint256 amount; }
    struct Witness { address to; uint256 validAfter; }
    struct PermitWitnessTransferFrom {
        TokenPermissions permitted; address spender; uint256 nonce; uint256 deadline; Witness witness;
    }
    interface Dollar {
        function mint(address to, uint256 value) external;
        function approve(address spender, uint256 value) external returns (bool);
        function transfer(address to, uint256 value) external returns (bool);
        function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;
        function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external;
        function balanceOf(address account) external view returns (uint256);
        function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);
        function transferWithAuthorization(
            address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature
        ) external;
    }
}

fn artifact(name: &str) -> Value {
    let path = format!("{}/end2end/contracts/out/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A node with the dollar and what Permit2 needs.
pub async fn chain_with_dollars() -> (Arc<Node>, Token) {
    with_dollars(Node::that_mines()).await
}

pub async fn with_dollars(node: Node) -> (Arc<Node>, Token) {
    let node = Arc::new(node);
    let deployer = node.key(DEPLOYER).address();
    let creation = artifact("DemoDollar")["creation"].as_str().unwrap().to_owned();
    mined(&node, json!({ "from": deployer, "data": format!("0x{creation}") })).await;
    let token = Token {
        address: Address(deployer.create(0).into_array()),
        symbol: "USDC".into(),
        decimals: 6,
        name: "Demo Dollar".into(),
        version: "2".into(),
        eip3009: true,
        permit2: true,
    };
    for (place, name) in [(PERMIT2, "Permit2Standin"), (EXACT_PROXY, "ExactProxyStandin")] {
        let runtime = artifact(name)["runtime"].as_str().unwrap().to_owned();
        node.rpc("anvil_setCode", json!([place, format!("0x{runtime}")])).await;
    }
    for payer in 0..4 {
        let call = Dollar::mintCall { to: node.key(payer).address(), value: U256::from(PURSE) };
        mined(&node, json!({ "from": deployer, "to": token.address, "data": hex(&call.abi_encode()) })).await;
    }
    (node, token)
}

pub fn hex(bytes: &[u8]) -> String {
    alloy::hex::encode_prefixed(bytes)
}

/// Sends it from an unlocked account, and waits until a block has it.
pub async fn mined(node: &Node, transaction: Value) -> TxHash {
    let hash = node.send(transaction).await;
    let receipt = crate::harness::eventually_some(async || {
        let receipt = node.rpc("eth_getTransactionReceipt", json!([hash])).await;
        (!receipt.is_null()).then_some(receipt)
    })
    .await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    hash
}

/// A shop that takes dollars, settled by its own key.
pub async fn shop_for_dollars() -> (Shop, Token) {
    let (node, token) = chain_with_dollars().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    (open(node, data, &token, Staff::All).await, token)
}

pub async fn open(node: Arc<Node>, data: Arc<tempfile::TempDir>, token: &Token, staff: Staff) -> Shop {
    let url = node.url();
    open_at(node, data, token, staff, vec![url]).await
}

pub async fn open_at(
    node: Arc<Node>,
    data: Arc<tempfile::TempDir>,
    token: &Token,
    staff: Staff,
    rpc_urls: Vec<url::Url>,
) -> Shop {
    let key = node.key(OPERATOR).to_bytes().0;
    let operator = |chain| Some(Facilitator::Operator(Operator::new(&key, chain).unwrap()));
    Shop::with_tokens(node, data, staff, rpc_urls, vec![token.clone()], operator).await
}

pub async fn balance(shop: &Shop, token: &Token, account: Address) -> u64 {
    let call = Dollar::balanceOfCall { account: Word20::from(account.0) };
    let answer = shop.node.rpc("eth_call", json!([{ "to": token.address, "data": hex(&call.abi_encode()) }, "latest"])).await;
    answer.as_str().unwrap().parse::<U256>().unwrap().to::<u64>()
}

pub async fn taken(shop: &Shop, token: &Token) -> u64 {
    balance(shop, token, SHOP).await
}

pub fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// What a payer signs for EIP-3009. Every field can be made wrong.
#[derive(Clone)]
pub struct Eip3009 {
    pub from: Word20,
    pub to: Word20,
    pub value: u64,
    pub valid_after: u64,
    pub valid_before: u64,
    pub nonce: B256,
    pub version: &'static str,
}

impl Eip3009 {
    /// As an honest client fills it in. `seed` makes the nonce.
    pub fn of(key: &PrivateKeySigner, seed: &str) -> Self {
        Self {
            from: key.address(),
            to: Word20::from(SHOP.0),
            value: PRICE,
            valid_after: 0,
            valid_before: now_s() + 300,
            nonce: keccak256(seed),
            version: "2",
        }
    }

    pub fn digest(&self, token: &Token) -> B256 {
        TransferWithAuthorization {
            from: self.from,
            to: self.to,
            value: U256::from(self.value),
            validAfter: U256::from(self.valid_after),
            validBefore: U256::from(self.valid_before),
            nonce: self.nonce,
        }
        .eip712_signing_hash(&domain(token, self.version))
    }

    pub fn sign(&self, key: &PrivateKeySigner, token: &Token) -> Vec<u8> {
        key.sign_hash_sync(&self.digest(token)).unwrap().as_bytes().to_vec()
    }

    /// The payload of a payment header.
    pub fn payload(&self, signature: &[u8]) -> Value {
        json!({
            "signature": hex(signature),
            "authorization": {
                "from": self.from.to_string(), "to": self.to.to_string(), "value": self.value.to_string(),
                "validAfter": self.valid_after.to_string(), "validBefore": self.valid_before.to_string(), "nonce": self.nonce,
            },
        })
    }

    /// Calldata that anybody may send.
    pub fn calldata(&self, signature: &[u8]) -> String {
        hex(&Dollar::transferWithAuthorizationCall {
            from: self.from,
            to: self.to,
            value: U256::from(self.value),
            validAfter: U256::from(self.valid_after),
            validBefore: U256::from(self.valid_before),
            nonce: self.nonce,
            signature: signature.to_vec().into(),
        }
        .abi_encode())
    }
}

/// The offer with this `assetTransferMethod`.
pub fn offer_by<'o>(offers: &'o PaymentRequired, method: &str) -> &'o Offer {
    let found = offers.accepts.iter().find(|offer| offer.extra.asset_transfer_method.as_deref() == Some(method));
    found.unwrap_or_else(|| panic!("no offer by {method}: {offers:?}"))
}

/// A whole, honest payment for the EIP-3009 offer among these.
pub fn pays(offers: &PaymentRequired, key: &PrivateKeySigner, token: &Token, seed: &str) -> String {
    let signed = Eip3009::of(key, seed);
    payload_for(offers, offer_by(offers, "eip3009"), signed.payload(&signed.sign(key, token)))
}

/// What a payer signs for Permit2 through x402's exact proxy.
#[derive(Clone)]
pub struct Permit2 {
    pub from: Word20,
    pub to: Word20,
    pub spender: Word20,
    pub value: u64,
    pub nonce: u64,
    pub deadline: u64,
}

impl Permit2 {
    pub fn of(key: &PrivateKeySigner, nonce: u64) -> Self {
        Self {
            from: key.address(),
            to: Word20::from(SHOP.0),
            spender: EXACT_PROXY.parse().unwrap(),
            value: PRICE,
            nonce,
            deadline: now_s() + 300,
        }
    }

    pub fn payload(&self, key: &PrivateKeySigner, token: &Token) -> Value {
        let place = Word20::from(token.address.0);
        let domain = eip712_domain! { name: "Permit2", chain_id: 31337, verifying_contract: PERMIT2.parse().unwrap(), };
        let digest = PermitWitnessTransferFrom {
            permitted: TokenPermissions { token: place, amount: U256::from(self.value) },
            spender: self.spender,
            nonce: U256::from(self.nonce),
            deadline: U256::from(self.deadline),
            witness: Witness { to: self.to, validAfter: U256::ZERO },
        }
        .eip712_signing_hash(&domain);
        json!({
            "signature": hex(&key.sign_hash_sync(&digest).unwrap().as_bytes()),
            "permit2Authorization": {
                "permitted": { "token": token.address, "amount": self.value.to_string() },
                "from": self.from.to_string(), "spender": self.spender.to_string(),
                "nonce": self.nonce.to_string(), "deadline": self.deadline.to_string(),
                "witness": { "to": self.to.to_string(), "validAfter": "0" },
            },
        })
    }
}

impl Permit2 {
    /// How x402's proxy is called with it.
    pub fn calldata(&self, token: &Token, signature: &str) -> String {
        let permitted = proxy::TokenPermissions { token: Word20::from(token.address.0), amount: U256::from(self.value) };
        let (nonce, deadline) = (U256::from(self.nonce), U256::from(self.deadline));
        let call = proxy::ExactProxy::settleCall {
            permit: proxy::PermitTransferFrom { permitted, nonce, deadline },
            owner: self.from,
            witness: proxy::Witness { to: self.to, validAfter: U256::ZERO },
            signature: signature.parse().unwrap(),
        };
        hex(&call.abi_encode())
    }
}

/// Lets Permit2 move a payer's dollars, once and for all.
pub async fn approve_permit2(shop: &Shop, token: &Token, payer: Address) {
    let call = Dollar::approveCall { spender: PERMIT2.parse().unwrap(), value: U256::MAX };
    mined(&shop.node, json!({ "from": payer, "to": token.address, "data": hex(&call.abi_encode()) })).await;
}

/// Many calls in one transaction, of a contract that names none of them.
pub async fn batch(shop: &Shop, calls: Vec<(Word20, Vec<u8>)>) -> TxHash {
    let place: Word20 = "0xcA11bde05977b3631167028862bE2a173976CA11".parse().unwrap();
    let runtime = artifact("Multicall3Standin")["runtime"].as_str().unwrap().to_owned();
    shop.node.rpc("anvil_setCode", json!([place, format!("0x{runtime}")])).await;
    let calls = calls.into_iter().map(|(target, data)| Call3 { target, allowFailure: false, callData: data.into() }).collect();
    let data = aggregate3Call { calls }.abi_encode();
    mined(&shop.node, json!({ "from": shop.node.key(DEPLOYER).address(), "to": place, "data": hex(&data), "gas": "0x1c9c380" }))
        .await
}

/// Strangers with keys of their own, a purse each, and an allowance for Permit2: they have no coin, and need none.
pub async fn strangers(shop: &Shop, token: &Token, count: usize) -> Vec<PrivateKeySigner> {
    let keys: Vec<_> = (0..count).map(|n| PrivateKeySigner::from_bytes(&keccak256(format!("stranger {n}"))).unwrap()).collect();
    let place = Word20::from(token.address.0);
    let domain = domain(token, "2");
    let mut calls = Vec::new();
    for key in &keys {
        let (owner, spender, value, deadline) = (key.address(), PERMIT2.parse().unwrap(), U256::MAX, U256::from(now_s() + 300));
        calls.push((place, Dollar::mintCall { to: owner, value: U256::from(PURSE) }.abi_encode()));
        let permit = Permit { owner, spender, value, nonce: U256::ZERO, deadline };
        let signed = key.sign_hash_sync(&permit.eip712_signing_hash(&domain)).unwrap();
        let (v, r, s) = (27 + u8::from(signed.v()), signed.r().into(), signed.s().into());
        calls.push((place, Dollar::permitCall { owner, spender, value, deadline, v, r, s }.abi_encode()));
    }
    batch(shop, calls).await;
    keys
}

fn domain(token: &Token, version: &'static str) -> alloy::sol_types::Eip712Domain {
    eip712_domain! {
        name: token.name.clone(),
        version: version,
        chain_id: 31337,
        verifying_contract: Word20::from(token.address.0),
    }
}

/// Its payer takes it back; anybody may send that.
pub async fn cancel(shop: &Shop, token: &Token, key: &PrivateKeySigner, nonce: B256) {
    let authorizer = key.address();
    let digest = CancelAuthorization { authorizer, nonce }.eip712_signing_hash(&domain(token, "2"));
    let signed = key.sign_hash_sync(&digest).unwrap();
    let (v, r, s) = (27 + u8::from(signed.v()), signed.r().into(), signed.s().into());
    let data = Dollar::cancelAuthorizationCall { authorizer, nonce, v, r, s }.abi_encode();
    mined(&shop.node, json!({ "from": shop.node.key(DEPLOYER).address(), "to": token.address, "data": hex(&data) })).await;
}

/// A contract wallet with a purse, whose owner's signature is its own (ERC-1271).
pub async fn contract_wallet(shop: &Shop, token: &Token, owner: Word20) -> Address {
    let deployer = shop.node.key(DEPLOYER).address();
    let creation = artifact("Wallet1271")["creation"].as_str().unwrap().to_owned();
    let data = format!("0x{creation}{}{}", "0".repeat(24), &owner.to_string()[2..]);
    let hash = mined(&shop.node, json!({ "from": deployer, "data": data })).await;
    let receipt = shop.node.rpc("eth_getTransactionReceipt", json!([hash])).await;
    let wallet: Address = receipt["contractAddress"].as_str().unwrap().parse().unwrap();
    let mint = Dollar::mintCall { to: Word20::from(wallet.0), value: U256::from(PURSE) }.abi_encode();
    mined(&shop.node, json!({ "from": deployer, "to": token.address, "data": hex(&mint) })).await;
    wallet
}

/// So many dollars for somebody.
pub async fn mint(shop: &Shop, token: &Token, to: Address, value: u64) {
    let mint = Dollar::mintCall { to: Word20::from(to.0), value: U256::from(value) }.abi_encode();
    mined(&shop.node, json!({ "from": shop.node.key(DEPLOYER).address(), "to": token.address, "data": hex(&mint) })).await;
}

/// Sends dollars to somebody else, so that they are not there when they are wanted.
pub async fn spend_elsewhere(shop: &Shop, token: &Token, payer: Address, value: u64) {
    mined(&shop.node, spending(token, payer, value)).await;
}

/// The transaction for it, ahead of others in its block.
pub fn spending(token: &Token, payer: Address, value: u64) -> Value {
    let call = Dollar::transferCall { to: Word20::repeat_byte(0xee), value: U256::from(value) };
    let fee = "0x174876e800";
    json!({ "from": payer, "to": token.address, "data": hex(&call.abi_encode()), "maxFeePerGas": fee, "maxPriorityFeePerGas": fee })
}

/// Version 1 of the same payment.
pub fn v1(network: &str, payload: &Value) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(crate::harness::v1_payload(network, payload).to_string())
}
