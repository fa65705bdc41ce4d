//! What is known of networks beforehand: their tokens, who usually may take them, and what they keep back.

use alloy::hex;

use crate::{
    chain::{EXACT_PROXY, PERMIT2},
    evm::Address,
    money::Amount,
    network::Network,
};

/// Multicall3, at the same address on every chain that has it.
pub const MULTICALL3: Address = Address(hex!("ca11bde05977b3631167028862be2a173976ca11"));

/// x402's proxy for `upto`: payments whose amount is known only afterwards.
pub const UPTO_PROXY: Address = Address(hex!("4020a4f3b7b90cca423b9fabcc0ce57c6c240002"));

/// Who is asked about without being named.
pub const SPENDERS: [(Address, &str); 3] =
    [(PERMIT2, "Permit2"), (EXACT_PROXY, "x402 exact proxy"), (UPTO_PROXY, "x402 upto proxy")];

/// Well-known tokens by chain id: besides those of the settings, which a shop may have switched off.
const TOKENS: [(u64, Address, &str); 2] = [
    (143, Address(hex!("754704bc059f8c67012fed69bc8a327a5aafb603")), "USDC"),
    (10143, Address(hex!("534b2f3a21130d7a60830c2df862319e593943a3")), "USDC"),
];

/// Tokens of a network that are known, each with its symbol.
pub fn tokens(network: &Network) -> Vec<(Address, String)> {
    let mut known: Vec<(Address, String)> =
        network.tokens.iter().map(|token| (token.address, token.symbol.clone())).collect();
    for (chain_id, address, symbol) in TOKENS {
        if chain_id == network.chain_id && known.iter().all(|(other, _)| *other != address) {
            known.push((address, symbol.to_owned()));
        }
    }
    known
}

/// Wei that accounts have to keep: Monad's 10 MON (mainnet, testnet). `None`: no such rule.
pub fn reserve(network: &Network) -> Option<Amount> {
    matches!(network.chain_id, 143 | 10143).then(|| Amount::from_atomic(10_u128.pow(19)))
}
