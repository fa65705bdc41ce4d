// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity >=0.6.5 <0.9.0;

// Code that hands its calls to other code, in the ways that are not in OpenZeppelin's.

/// The way of multisig wallets' proxies: the code's address in the first slot.
contract SlotProxy {
    address internal singleton;

    constructor(address code) public { singleton = code; }

    fallback() external payable {
        assembly {
            let code := and(sload(0), 0xffffffffffffffffffffffffffffffffffffffff)
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), code, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok case 0 { revert(0, returndatasize()) } default { return(0, returndatasize()) }
        }
    }
    receive() external payable {}
}

/// EIP-1822, as its text has it.
contract Proxy1822 {
    constructor(address code) public { assembly { sstore(0xc5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7, code) } }

    fallback() external payable {
        assembly {
            let code := sload(0xc5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7)
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), code, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok case 0 { revert(0, returndatasize()) } default { return(0, returndatasize()) }
        }
    }
}

/// Code that was chosen when it was made.
contract FixedForwarder {
    address private immutable target;

    constructor(address code) public { target = code; }

    fallback() external payable {
        address code = target;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), code, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok case 0 { revert(0, returndatasize()) } default { return(0, returndatasize()) }
        }
    }
}

/// Its own admin may replace the code, and hand that power on.
contract AdminProxy {
    bytes32 private constant CODE = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
    bytes32 private constant ADMIN = 0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103;

    modifier onlyAdmin() {
        address admin;
        assembly { admin := sload(ADMIN) }
        require(msg.sender == admin, "admin");
        _;
    }

    constructor(address code) public { assembly { sstore(CODE, code) sstore(ADMIN, caller()) } }

    function upgradeTo(address code) external onlyAdmin { assembly { sstore(CODE, code) } }
    function changeAdmin(address next) external onlyAdmin { assembly { sstore(ADMIN, next) } }

    fallback() external payable {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), sload(CODE), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok case 0 { revert(0, returndatasize()) } default { return(0, returndatasize()) }
        }
    }
    receive() external payable {}
}

/// Each function has its own code (as in EIP-2535), and the owner says which.
contract Facets {
    struct Facet { address code; bool frozen; }

    address public owner;
    mapping(bytes4 => Facet) internal facets;

    constructor() public { owner = msg.sender; }

    function setFacet(bytes4 selector, address code) external { require(msg.sender == owner, "owner"); facets[selector].code = code; }
    function facetAddress(bytes4 selector) external view returns (address) { return facets[selector].code; }

    fallback() external payable {
        address code = facets[msg.sig].code;
        require(code != address(0), "no such function");
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), code, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok case 0 { revert(0, returndatasize()) } default { return(0, returndatasize()) }
        }
    }
    receive() external payable {}
}

/// Calls that nobody named go to a handler by an ordinary call, not a delegated one: no proxy.
contract Handler {
    address public owner;
    address public handler;

    constructor() public { owner = msg.sender; }

    function setHandler(address next) external { require(msg.sender == owner, "owner"); handler = next; }

    fallback() external {
        address to = handler;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := call(gas(), to, 0, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok case 0 { revert(0, returndatasize()) } default { return(0, returndatasize()) }
        }
    }
}
