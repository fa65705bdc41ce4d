//! Wallets of every kind on a real chain node: what Wallet Report is tried on, and compared with other tools.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // each test binary uses its own part of it

use alloy::{
    eips::eip7702::Authorization,
    hex,
    primitives::{Address as Word20, FixedBytes, U256, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::{SolCall, SolValue},
};
use coinslot::{
    chain::{EXACT_PROXY, PERMIT2},
    evm::Address,
};
use serde_json::json;

use crate::anvil::{Anvil, CHAIN_ID};

sol! {
    function mint(address to, uint256 value) external;
    function transfer(address to, uint256 value) external returns (bool);
    function poison(address from, address to) external;
    function grantRole(bytes32 role, address account) external;
    function safeMint(address to, uint256 id) external;
    function setApprovalForAll(address operator, bool approved) external;
    function initialize(address first) external;
}

mod erc20 {
    alloy::sol! { function approve(address spender, uint256 value) external returns (bool); }
}
mod items {
    alloy::sol! { function mint(address to, uint256 id, uint256 value, bytes data) external; }
}
mod permit2 {
    alloy::sol! { function approve(address token, address spender, uint160 amount, uint48 expiration) external; }
}

pub const MULTICALL3: &str = "0xca11bde05977b3631167028862be2a173976ca11";
/// Somebody's key, not a contract.
pub const SOMEBODY: Address = Address([0x5b; 20]);

#[track_caller]
fn artifact(name: &str, part: &str) -> String {
    let path = format!("{}/end2end/contracts/out/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let artifact: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    artifact[part].as_str().unwrap().to_owned()
}

/// A chain with tokens, honest and odd, and wallets that have some.
pub struct Wallets {
    pub anvil: Anvil,
    /// Each with what it is here for.
    pub all: Vec<(&'static str, Address)>,
    /// USD (6 decimals), ETHX (18), WHOLE (0).
    pub honest: [Address; 3],
    /// Its symbol is a word.
    pub old: Address,
    pub tickets: Address,
    pub items: Address,
    /// In the order of `OddToken.Kind`.
    pub odd: Vec<Address>,
    /// Calls itself USDC; a Cyrillic letter in it; 255 decimals.
    pub pretenders: [Address; 3],
    /// A contract that may take tokens: one without any sense here.
    pub taker: Address,
    pub delegate: Address,
}

fn word20(address: Address) -> Word20 {
    Word20::from(address.0)
}

impl Wallets {
    pub fn get(&self, what: &str) -> Address {
        self.all.iter().find(|(name, _)| *name == what).unwrap_or_else(|| panic!("no wallet {what}")).1
    }

    /// Every token that there is.
    pub fn tokens(&self) -> Vec<Address> {
        let some = [self.old, self.tickets, self.items];
        self.honest.into_iter().chain(some).chain(self.odd.iter().copied()).chain(self.pretenders).collect()
    }

    pub async fn settle() -> Self {
        let anvil = Anvil::start().await;
        anvil.rpc("anvil_autoImpersonateAccount", json!([true])).await;
        anvil.set_code(PERMIT2, &format!("0x{}", artifact("Permit2AllowanceStandin", "runtime"))).await;
        anvil.set_code(EXACT_PROXY, &format!("0x{}", artifact("ExactProxyStandin", "runtime"))).await;
        let plain = |symbol: &str, decimals: u64| (symbol.to_owned(), U256::from(decimals)).abi_encode_params();
        let mut honest = [Address([0; 20]); 3];
        for (place, (symbol, decimals)) in honest.iter_mut().zip([("USD", 6), ("ETHX", 18), ("WHOLE", 0)]) {
            *place = deploy(&anvil, "PlainToken", &plain(symbol, decimals)).await;
        }
        let mut pretenders = [Address([0; 20]); 3];
        for (place, (symbol, decimals)) in pretenders.iter_mut().zip([("usdc", 6), ("USD\u{421}", 6), ("WIDE", 255)]) {
            *place = deploy(&anvil, "PlainToken", &plain(symbol, decimals)).await;
        }
        let mut odd = Vec::new();
        for kind in 0..7_u64 {
            odd.push(deploy(&anvil, "OddToken", &U256::from(kind).abi_encode()).await);
        }
        let mut wallets = Self {
            all: Vec::new(),
            honest,
            old: deploy(&anvil, "WordToken", &[]).await,
            tickets: deploy(&anvil, "Tickets", &[]).await,
            items: deploy(&anvil, "Items", &[]).await,
            odd,
            pretenders,
            taker: deploy(&anvil, "Shapes", &[]).await,
            delegate: deploy(&anvil, "DelegateStandin", &[]).await,
            anvil,
        };
        wallets.accounts().await;
        wallets.contracts().await;
        wallets.delegated().await;
        wallets.crowd().await;
        wallets.anvil.finalize().await;
        wallets
    }

    /// Makes the chain one that has Multicall3.
    pub async fn with_multicall(&self) {
        let code = format!("0x{}", artifact("Multicall3Standin", "runtime"));
        self.anvil.rpc("anvil_setCode", json!([MULTICALL3, code])).await;
        self.anvil.finalize().await;
        self.anvil.mine(1).await;
    }

    async fn accounts(&mut self) {
        let [usd, eth, whole] = self.honest;
        let of = |index| self.anvil.account(index);
        let (maker, holder, giver) = (of(0), of(1), of(2));
        self.all.extend([("maker", maker), ("holder", holder), ("giver", giver), ("idle", of(9))]);
        let nobody = Address([0xee; 20]);
        let rich = Address([0x11; 20]);
        self.all.extend([("unused", nobody), ("rich", rich), ("zero", Address([0; 20])), ("precompile", small(1))]);
        self.anvil.set_balance(rich, u128::MAX).await;

        for (token, to, value) in [
            (usd, holder, U256::from(25_500_000)),
            (eth, holder, U256::from(1)),
            (whole, holder, U256::from(7)),
            (usd, giver, U256::from(1_000_000_000)),
            (eth, rich, U256::MAX),
            (usd, rich, U256::MAX - U256::ONE),
            (self.old, holder, U256::from(3)),
        ] {
            self.call(maker, token, mintCall { to: word20(to), value }.abi_encode()).await;
        }
        self.call(holder, usd, transferCall { to: word20(giver), value: U256::from(500_000) }.abi_encode()).await;
        self.call(maker, eth, poisonCall { from: word20(holder), to: word20(SOMEBODY) }.abi_encode()).await;

        let minter = grantRoleCall { role: keccak256("MINTER_ROLE"), account: word20(maker) };
        self.call(maker, self.tickets, minter.abi_encode()).await;
        for id in [1_u64, 7] {
            self.call(maker, self.tickets, safeMintCall { to: word20(holder), id: U256::from(id) }.abi_encode()).await;
        }
        let piece = items::mintCall { to: word20(holder), id: U256::from(4), value: U256::from(9), data: Vec::new().into() };
        self.call(maker, self.items, piece.abi_encode()).await;

        for (token, spender, value) in [
            (usd, PERMIT2, U256::MAX),
            (eth, PERMIT2, U256::from(10_u64.pow(18))),
            (usd, self.taker, U256::MAX),
            (eth, SOMEBODY, (U256::ONE << 96) - U256::ONE),
            (usd, EXACT_PROXY, U256::from(1_500_000)),
            (whole, SOMEBODY, U256::from(3)),
        ] {
            self.call(giver, token, erc20::approveCall { spender: word20(spender), value }.abi_encode()).await;
        }
        let all = setApprovalForAllCall { operator: word20(self.taker), approved: true };
        self.call(giver, self.tickets, all.abi_encode()).await;
        for (token, spender, amount, expiration) in [
            (usd, self.taker, U256::MAX >> 96, (1_u64 << 48) - 1),
            (eth, SOMEBODY, U256::from(5), 1),
            (whole, SOMEBODY, U256::from(5), (1_u64 << 48) - 1),
        ] {
            let permit = permit2::approveCall {
                token: word20(token),
                spender: word20(spender),
                amount: amount.to(),
                expiration: alloy::primitives::aliases::U48::from(expiration),
            };
            self.call(giver, PERMIT2, permit.abi_encode()).await;
        }
    }

    async fn contracts(&mut self) {
        let anvil = &self.anvil;
        let owners = vec![word20(anvil.account(1)), word20(anvil.account(2)), word20(SOMEBODY)];
        let safe = deploy(anvil, "SafeStandin", &(owners, U256::from(2)).abi_encode_params()).await;
        let signer = deploy(anvil, "Wallet1271", &word20(anvil.account(1)).abi_encode()).await;
        let upgradeable = deploy(anvil, "Upgradeable", &[]).await;
        let begin = initializeCall { first: word20(anvil.account(1)) }.abi_encode();
        let proxy =
            deploy(anvil, "Proxy1967", &(word20(upgradeable), alloy::primitives::Bytes::from(begin)).abi_encode_params()).await;
        let clone = Address([0xc1; 20]);
        let lost = Address([0xc2; 20]);
        for (at, target) in [(clone, signer), (lost, Address([0xdd; 20]))] {
            let code = format!("0x363d3d373d3d3d363d73{}5af43d82803e903d91602b57fd5bf3", hex::encode(target.0));
            anvil.set_code(at, &code).await;
        }
        // Signs whatever it is asked: returns ERC-1271's word to every call.
        let fool = Address([0xc3; 20]);
        anvil.set_code(fool, "0x631626ba7e60e01b5f5260205ff3").await;
        anvil.set_balance(safe, 5_000_000_000_000_000_001).await;
        let dollar = deploy(anvil, "Dollar", &[]).await;
        let [usd, ..] = self.honest;
        self.call(anvil.account(0), usd, mintCall { to: word20(safe), value: U256::from(42) }.abi_encode()).await;
        self.all.extend([
            ("safe", safe),
            ("signer", signer),
            ("proxy", proxy),
            ("clone", clone),
            ("lost clone", lost),
            ("fool", fool),
            ("token", dollar),
            ("permit2", PERMIT2),
            ("collection", self.tickets),
        ]);
    }

    /// By real authorizations (EIP-7702), which the accounts' keys sign.
    async fn delegated(&mut self) {
        for (index, name, to) in [(3, "delegated", self.delegate), (4, "delegated to nothing", Address([0xdd; 20]))] {
            let signer = PrivateKeySigner::from_bytes(&FixedBytes(self.anvil.key(index))).unwrap();
            let account = self.anvil.account(index);
            let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address: word20(to), nonce: 0 };
            let signature = signer.sign_hash_sync(&authorization.signature_hash()).unwrap();
            let signed = serde_json::to_value(authorization.into_signed(signature)).unwrap();
            let transaction = json!({
                "type": "0x4", "from": self.anvil.account(0), "to": account, "value": "0x0", "gas": "0x30d40", "authorizationList": [signed],
            });
            self.anvil.transact(transaction).await;
            self.all.push((name, account));
        }
    }

    /// A dozen more, with a bit of everything: the same at each start.
    async fn crowd(&mut self) {
        const NAMES: [&str; 12] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11"];
        let maker = self.anvil.account(0);
        for (number, name) in NAMES.into_iter().enumerate() {
            let account = Address([0x80 + u8::try_from(number).unwrap(); 20]);
            let seed = keccak256(name);
            self.anvil.set_balance(account, 10_u128.pow(18) + u128::from(seed[0])).await;
            for (index, token) in self.honest.into_iter().enumerate() {
                let value = U256::from_be_bytes(seed.0) >> (usize::from(seed[index]) % 250);
                self.call(maker, token, mintCall { to: word20(account), value }.abi_encode()).await;
                if seed[index] % 2 == 0 {
                    let spender = [PERMIT2, self.taker, SOMEBODY, EXACT_PROXY][usize::from(seed[index + 3]) % 4];
                    let value = U256::from_be_bytes(seed.0) >> (usize::from(seed[index + 6]) % 250);
                    self.call(account, token, erc20::approveCall { spender: word20(spender), value }.abi_encode()).await;
                }
            }
            self.all.push((name, account));
        }
    }

    async fn call(&self, from: Address, to: Address, data: Vec<u8>) {
        let hash =
            self.anvil.transact(json!({"from": from, "to": to, "data": hex::encode_prefixed(data), "gas": "0x7a120"})).await;
        let receipt = self.anvil.rpc("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt["status"], "0x1", "a call to {to}");
    }
}

fn small(number: u8) -> Address {
    let mut bytes = [0; 20];
    bytes[19] = number;
    Address(bytes)
}

async fn deploy(anvil: &Anvil, name: &str, arguments: &[u8]) -> Address {
    let data = format!("0x{}{}", artifact(name, "creation"), hex::encode(arguments));
    let hash = anvil.transact(json!({"from": anvil.account(0), "data": data})).await;
    let receipt = anvil.rpc("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["status"], "0x1", "{name}");
    receipt["contractAddress"].as_str().unwrap().parse().unwrap()
}
