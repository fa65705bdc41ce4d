//! A chain with a dollar, Permit2 and x402's proxy; a payer who has some and allowed Permit2 to move it; an operator with coins.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::{
    hex,
    primitives::{Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::{SolCall, SolStruct},
};
use coinslot::{
    chain::{Chain, EXACT_PROXY, PERMIT2, token::ExactProxy},
    evm::{Address, TxHash},
    money::Amount,
    network::Token,
    x402::{
        authorization::{Authorization, Method, Refused},
        facilitator::{Facilitator, NotRecorded, Operator, Record, Sending, SettleError, Unknown, VerifyError},
    },
};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::anvil::{Anvil, CHAIN_ID};

/// Who is who among anvil's accounts.
pub const OPERATOR: usize = 0;
pub const PAYER: usize = 1;
pub const SHOP: usize = 2;
pub const SOMEBODY: usize = 3;
pub const DEPLOYER: usize = 9;

pub const PRICE: u64 = 1000;

/// Where Multicall3 is on every chain that has it.
pub const MULTICALL: Address = Address(hex!("ca11bde05977b3631167028862be2a173976ca11"));

pub const METHODS: [Method; 2] = [Method::Eip3009, Method::Permit2];

alloy::sol! {
    function mint(address to, uint256 value);
    function approve(address spender, uint256 value);
    function balanceOf(address account) returns (uint256);
    function blacklist(address account);
    function invalidateUnorderedNonces(uint256 word, uint256 mask);
    function execute(address to, uint256 value, bytes data);
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s);
    struct CancelAuthorization { address authorizer; bytes32 nonce; }
    struct Call3 { address target; bool allowFailure; bytes callData; }
    function aggregate3(Call3[] calls);
    function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature);
}

pub struct Bed {
    pub anvil: Anvil,
    pub chain: Chain,
    pub token: Token,
}

impl Bed {
    pub async fn new() -> Self {
        let anvil = Anvil::start().await;
        anvil.set_code(PERMIT2, &code("Permit2Standin", "runtime")).await;
        anvil.set_code(EXACT_PROXY, &code("ExactProxyStandin", "runtime")).await;
        let address = deploy(&anvil, code("DemoDollar", "creation")).await;
        let token = Token {
            address,
            symbol: "USDC".to_owned(),
            decimals: 6,
            name: "Demo Dollar".to_owned(),
            version: "2".to_owned(),
            eip3009: true,
            permit2: true,
        };
        let bed = Self { chain: anvil.chain(), anvil, token };
        bed.mint(bed.account(PAYER), 5 * PRICE).await;
        bed.allow(PAYER, U256::MAX).await;
        bed
    }

    pub fn account(&self, index: usize) -> Address {
        self.anvil.account(index)
    }

    /// The operator in this process, over the real node.
    pub fn operator(&self) -> Facilitator {
        self.operator_over(self.chain.clone())
    }

    pub fn operator_over(&self, chain: Chain) -> Facilitator {
        let operator = Operator::with_patience(&self.anvil.key(OPERATOR), chain, Duration::from_secs(3));
        Facilitator::Operator(operator.unwrap())
    }

    /// The payer's, of the price, to the shop, good for five minutes.
    pub fn authorization(&self, method: Method, nonce: u8) -> Authorization {
        let authorization = Authorization {
            method,
            network: format!("eip155:{CHAIN_ID}"),
            chain_id: CHAIN_ID,
            token: self.token.clone(),
            from: self.account(PAYER),
            to: self.account(SHOP),
            value: Amount::from_atomic(PRICE.into()),
            valid_after: 0,
            valid_before: U256::from(now_s() + 300),
            nonce: [nonce; 32],
            signature: Vec::new(),
            bought: None,
        };
        self.signed(authorization, PAYER)
    }

    /// With the signature of that account's key.
    pub fn signed(&self, authorization: Authorization, by: usize) -> Authorization {
        let key = PrivateKeySigner::from_slice(&self.anvil.key(by)).unwrap();
        let signature = key.sign_hash_sync(&authorization.digest()).unwrap().as_bytes().to_vec();
        Authorization { signature, ..authorization }
    }

    /// Carries it out as anybody can who sees it.
    pub async fn front_run(&self, authorization: &Authorization) -> TxHash {
        self.anvil.transact(self.settlement(authorization, SOMEBODY)).await
    }

    /// Carries several out in one transaction, through a contract that names none of them in its own arguments.
    pub async fn batch(&self, authorizations: &[&Authorization]) -> TxHash {
        self.anvil.set_code(MULTICALL, &code("Multicall3Standin", "runtime")).await;
        let calls = authorizations.iter().map(|authorization| {
            let settlement = self.settlement(authorization, SOMEBODY);
            let target = settlement["to"].as_str().unwrap().parse().unwrap();
            let data = hex::decode(settlement["data"].as_str().unwrap()).unwrap();
            Call3 { target, allowFailure: false, callData: data.into() }
        });
        let data = aggregate3Call { calls: calls.collect() }.abi_encode();
        self.anvil.transact(call(self.account(SOMEBODY), MULTICALL, data)).await
    }

    /// Its payer takes an EIP-3009 authorization back; anybody may send that.
    pub async fn cancel(&self, authorization: &Authorization, by: usize) -> TxHash {
        let (authorizer, nonce) = (authorization.from.0.into(), authorization.nonce.into());
        let domain = alloy::sol_types::eip712_domain! {
            name: self.token.name.clone(), version: self.token.version.clone(), chain_id: CHAIN_ID, verifying_contract: self.token.address.0.into(),
        };
        let digest = CancelAuthorization { authorizer, nonce }.eip712_signing_hash(&domain);
        let signature = PrivateKeySigner::from_slice(&self.anvil.key(by)).unwrap().sign_hash_sync(&digest).unwrap();
        let (v, r, s) = (27 + u8::from(signature.v()), signature.r().into(), signature.s().into());
        let data = cancelAuthorizationCall { authorizer, nonce, v, r, s }.abi_encode();
        self.anvil.transact(call(self.account(SOMEBODY), self.token.address, data)).await
    }

    /// The transaction that carries it out, from one of anvil's accounts.
    pub fn settlement(&self, a: &Authorization, sender: usize) -> Value {
        let (from, to, value) = (a.from.0.into(), a.to.0.into(), U256::from_be_bytes(a.value.to_be_bytes()));
        let (after, before, signature) = (U256::from(a.valid_after), a.valid_before, Bytes::from(a.signature.clone()));
        let (contract, data) = match a.method {
            Method::Eip3009 => {
                let nonce = a.nonce.into();
                let (valid_after, valid_before) = (after, before);
                let call = transferWithAuthorizationCall {
                    from,
                    to,
                    value,
                    validAfter: valid_after,
                    validBefore: valid_before,
                    nonce,
                    signature,
                };
                (a.token.address, call.abi_encode())
            }
            Method::Permit2 => {
                use coinslot::chain::token::{PermitTransferFrom, TokenPermissions, Witness};
                let permitted = TokenPermissions { token: a.token.address.0.into(), amount: value };
                let permit = PermitTransferFrom { permitted, nonce: U256::from_be_bytes(a.nonce), deadline: before };
                let witness = Witness { to, validAfter: after };
                (EXACT_PROXY, ExactProxy::settleCall { permit, owner: from, witness, signature }.abi_encode())
            }
        };
        call(self.account(sender), contract, data)
    }

    pub async fn mint(&self, to: Address, value: u64) {
        let data = mintCall { to: to.0.into(), value: U256::from(value) }.abi_encode();
        self.anvil.transact(call(self.account(DEPLOYER), self.token.address, data)).await;
    }

    /// Lets Permit2 move so much of an account's dollars.
    pub async fn allow(&self, account: usize, value: U256) {
        let data = approveCall { spender: PERMIT2.0.into(), value }.abi_encode();
        self.anvil.transact(call(self.account(account), self.token.address, data)).await;
    }

    pub async fn dollars(&self, account: Address) -> u64 {
        let data = balanceOfCall { account: account.0.into() }.abi_encode();
        let said = self.chain.call(self.token.address, &data).await.unwrap().unwrap();
        U256::from_be_slice(&said).to()
    }

    /// What the shop has received.
    pub async fn earned(&self) -> u64 {
        self.dollars(self.account(SHOP)).await
    }
}

pub fn call(from: Address, to: Address, data: Vec<u8>) -> Value {
    json!({"from": from, "to": to, "data": hex::encode_prefixed(data)})
}

pub async fn deploy(anvil: &Anvil, creation: String) -> Address {
    let hash = anvil.transact(json!({"from": anvil.account(DEPLOYER), "data": creation})).await;
    let receipt = anvil.rpc("eth_getTransactionReceipt", json!([hash])).await;
    receipt["contractAddress"].as_str().unwrap().parse().unwrap()
}

/// `creation` or `runtime` code of a compiled contract.
pub fn code(contract: &str, part: &str) -> String {
    let path = format!("{}/end2end/contracts/out/{contract}.json", env!("CARGO_MANIFEST_DIR"));
    let artifact: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    format!("0x{}", artifact[part].as_str().unwrap())
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The row that a settlement is recorded in before it is sent.
#[derive(Clone, Default)]
pub struct Ledger(pub Arc<Mutex<Vec<Sending>>>);

impl Ledger {
    pub fn record(&self) -> Box<Record<'static>> {
        let rows = self.0.clone();
        Box::new(move |sending| {
            rows.lock().unwrap().push(sending);
            Box::pin(async { Ok(()) }) as BoxFuture<'static, Result<(), NotRecorded>>
        })
    }

    /// The process dies before this answers.
    pub fn record_and_die(&self) -> Box<Record<'static>> {
        let rows = self.0.clone();
        Box::new(move |sending| {
            rows.lock().unwrap().push(sending);
            Box::pin(std::future::pending())
        })
    }

    pub fn rows(&self) -> Vec<Sending> {
        self.0.lock().unwrap().clone()
    }

    pub fn hashes(&self) -> Vec<TxHash> {
        self.rows().into_iter().map(|sending| sending.hash).collect()
    }

    /// Waits for the first row.
    pub async fn first(&self) -> Sending {
        let wait = async {
            loop {
                if let Some(first) = self.rows().into_iter().next() {
                    return first;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(super::anvil::PATIENCE, wait).await.expect("a settlement is recorded")
    }
}

/// Settles and records elsewhere, for those to whom the record does not matter.
pub async fn settle(facilitator: &Facilitator, authorization: &Authorization) -> Result<TxHash, SettleError> {
    facilitator.settle(authorization, &*Ledger::default().record()).await
}

#[track_caller]
pub fn refused(answer: Result<(), VerifyError>) -> Refused {
    match answer {
        Err(VerifyError::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
pub fn unknown(answer: Result<TxHash, SettleError>) -> Unknown {
    match answer {
        Err(SettleError::Unknown(unknown)) => unknown,
        other => panic!("not unknown: {other:?}"),
    }
}
