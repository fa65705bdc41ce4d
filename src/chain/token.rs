//! What tokens, Permit2 and x402's exact proxy are asked, and what they write down.

use alloy::sol_types::SolEvent;

use crate::{evm::Address, money::Amount};

/// Permit2, at the same address on every chain that has it.
pub const PERMIT2: Address = Address(alloy::hex!("000000000022d473030f116ddee9f6b43ac78ba3"));

/// x402's proxy for `exact`: the only spender that payers sign for. It pays nobody but the recipient they signed.
pub const EXACT_PROXY: Address = Address(alloy::hex!("402085c248eea27d92e8b30b2c58ed07f9e20001"));

alloy::sol! {
    interface Token {
        event Transfer(address indexed from, address indexed to, uint256 value);
        event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
        event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

        function name() external view returns (string);
        function version() external view returns (string);
        function decimals() external view returns (uint8);
        function DOMAIN_SEPARATOR() external view returns (bytes32);
        function balanceOf(address account) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);
        function transferWithAuthorization(
            address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature
        ) external;
        function transferWithAuthorization(
            address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s
        ) external;
    }

    interface Permit2 {
        function nonceBitmap(address owner, uint256 word) external view returns (uint256);
    }

    interface ContractWallet {
        function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);
    }

    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    struct Witness {
        address to;
        uint256 validAfter;
    }

    struct Eip2612Permit {
        uint256 value;
        uint256 deadline;
        bytes32 r;
        bytes32 s;
        uint8 v;
    }

    interface ExactProxy {
        function settle(PermitTransferFrom permit, address owner, Witness witness, bytes signature) external;
        function settleWithPermit(
            Eip2612Permit permit2612, PermitTransferFrom permit, address owner, Witness witness, bytes signature
        ) external;
    }
}

/// A token's transfer, as its log tells it: from, to, how much. `None`: the log tells of something else.
pub fn token_transfer(topics: &[[u8; 32]], data: &[u8]) -> Option<(Address, Address, Amount)> {
    let &[kind, from, to] = topics else { return None };
    if kind != Token::Transfer::SIGNATURE_HASH.0 {
        return None;
    }
    let address = |word: [u8; 32]| -> Option<Address> { word[12..].try_into().ok().map(Address) };
    Some((address(from)?, address(to)?, Amount::from_be_bytes(data.try_into().ok()?)))
}
