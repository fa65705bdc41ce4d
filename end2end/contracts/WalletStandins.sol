// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.26;

// What wallets hold and are, honest and not: Wallet Report is tried on these. Nothing here is for any other chain than a test's.

/// As much of Multicall3 as is asked of it: for chains that lack the real one, put at 0xcA11bde05977b3631167028862bE2a173976CA11.
contract Multicall3Standin {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (bool success, bytes memory answer) = calls[i].target.call(calls[i].callData);
            require(success || calls[i].allowFailure, "Multicall3: call failed");
            results[i] = Result(success, answer);
        }
    }
}

/// As much of Permit2's AllowanceTransfer as tells who may take what.
contract Permit2AllowanceStandin {
    struct Allowed {
        uint160 amount;
        uint48 expiration;
        uint48 nonce;
    }

    mapping(address owner => mapping(address token => mapping(address spender => Allowed))) public allowance;

    function approve(address token, address spender, uint160 amount, uint48 expiration) external {
        Allowed storage allowed = allowance[msg.sender][token][spender];
        allowed.amount = amount;
        allowed.expiration = expiration == 0 ? uint48(block.timestamp) : expiration;
    }
}

/// A token with any symbol, decimals and supply that its maker likes.
contract PlainToken {
    string public symbol;
    uint8 public decimals;
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(string memory symbol_, uint8 decimals_) {
        symbol = symbol_;
        decimals = decimals_;
    }

    function mint(address to, uint256 value) external {
        balanceOf[to] = value;
        emit Transfer(address(0), to, value);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        unchecked { balanceOf[to] += value; }
        emit Transfer(msg.sender, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        return true;
    }

    /// What address poisoners do: nobody's leave is needed to move nothing.
    function poison(address from, address to) external {
        emit Transfer(from, to, 0);
    }
}

/// A token of old: its symbol is bytes32.
contract WordToken {
    bytes32 public constant symbol = "OLD";
    uint8 public constant decimals = 18;
    mapping(address account => uint256) public balanceOf;

    function mint(address to, uint256 value) external { balanceOf[to] = value; }
    function allowance(address, address) external pure returns (uint256) { return 0; }
}

/// Answers every call with the same bytes, of a kind that its maker chose: a token that lies, stalls or floods.
contract OddToken {
    enum Kind { Reverts, Flood, NotUtf8, BurnsGas, ShortWords, FarOffset, WideDecimals }

    Kind private immutable kind;

    constructor(Kind kind_) { kind = kind_; }

    fallback(bytes calldata input) external returns (bytes memory) {
        if (kind == Kind.Reverts) revert("no");
        if (kind == Kind.Flood) return new bytes(100 * 1024);
        if (kind == Kind.BurnsGas) while (true) {}
        if (kind == Kind.ShortWords) return hex"01";
        bytes4 selector = bytes4(input);
        if (selector == 0x95d89b41) {
            if (kind == Kind.NotUtf8) return abi.encode(hex"fffe4f4b");
            if (kind == Kind.FarOffset) return abi.encode(type(uint256).max - 31, type(uint256).max);
            return abi.encode("WIDE");
        }
        if (selector == 0x313ce567) return abi.encode(kind == Kind.WideDecimals ? 1000 : 6);
        if (selector == 0x70a08231) return abi.encode(5000000);
        return abi.encode(0);
    }
}

/// A wallet of several owners, as Safe's functions tell it.
contract SafeStandin {
    address[] private owners;
    uint256 public getThreshold;
    string public constant VERSION = "1.4.1";

    constructor(address[] memory owners_, uint256 threshold) {
        owners = owners_;
        getThreshold = threshold;
    }

    function getOwners() external view returns (address[] memory) { return owners; }
}

/// What an account can be delegated to (EIP-7702): it signs as its owner does, and names an entry point (ERC-4337).
contract DelegateStandin {
    address public constant entryPoint = 0x0000000071727De22E5E9d8BAf0edAc6f37da032;

    receive() external payable {}

    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) { return 0xffffffff; }
}
