// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.26;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {BeaconProxy} from "@openzeppelin/contracts/proxy/beacon/BeaconProxy.sol";
import {UpgradeableBeacon} from "@openzeppelin/contracts/proxy/beacon/UpgradeableBeacon.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC3009, EIP712} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC4626, IERC20} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721Pausable} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721Pausable.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";

// OpenZeppelin's standards as they are met on chain: what Contract X-ray must recognise by bytecode alone.

contract Tickets is ERC721, ERC721Pausable, AccessControl {
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");

    constructor() ERC721("Tickets", "TIX") { _grantRole(DEFAULT_ADMIN_ROLE, msg.sender); }

    function safeMint(address to, uint256 id) external onlyRole(MINTER_ROLE) { _safeMint(to, id); }
    function pause() external onlyRole(DEFAULT_ADMIN_ROLE) { _pause(); }
    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) { _unpause(); }

    function _update(address to, uint256 id, address auth) internal override(ERC721, ERC721Pausable) returns (address) {
        return super._update(to, id, auth);
    }
    function supportsInterface(bytes4 id) public view override(ERC721, AccessControl) returns (bool) {
        return super.supportsInterface(id);
    }
}

contract Items is ERC1155, Ownable {
    constructor() ERC1155("ipfs://items/{id}") Ownable(msg.sender) {}

    function mint(address to, uint256 id, uint256 value, bytes calldata data) external onlyOwner { _mint(to, id, value, data); }
}

contract Dollar is ERC20, ERC3009, ERC20Permit {
    constructor() ERC20("Dollar", "USDX") ERC20Permit("Dollar") {}
}

contract Vault is ERC4626 {
    constructor(IERC20 asset) ERC20("Vault", "vUSDX") ERC4626(asset) {}
}

contract Upgradeable is UUPSUpgradeable {
    address public owner;
    uint256 public value;

    function initialize(address first) external {
        require(owner == address(0));
        owner = first;
    }
    function setValue(uint256 next) external { value = next; }
    function _authorizeUpgrade(address) internal view override { require(msg.sender == owner, "not the owner"); }
}

contract Proxy1967 is ERC1967Proxy {
    constructor(address code, bytes memory data) ERC1967Proxy(code, data) {}
}

contract Transparent is TransparentUpgradeableProxy {
    constructor(address code, address owner, bytes memory data) TransparentUpgradeableProxy(code, owner, data) {}
}

contract Beacon is UpgradeableBeacon {
    constructor(address code, address owner) UpgradeableBeacon(code, owner) {}
}

contract FromBeacon is BeaconProxy {
    constructor(address beacon, bytes memory data) BeaconProxy(beacon, data) {}
}
