// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.26;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Pausable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Pausable.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721URIStorage} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

// OpenZeppelin 5.

contract Coin5 is ERC20Pausable, AccessControl {
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    constructor() ERC20("Coin", "C5") { _grantRole(DEFAULT_ADMIN_ROLE, msg.sender); }

    function mint(address to, uint256 amount) external onlyRole(MINTER_ROLE) { _mint(to, amount); }
    function pause() external onlyRole(PAUSER_ROLE) { _pause(); }
    function unpause() external onlyRole(PAUSER_ROLE) { _unpause(); }
}

contract Paper5 is ERC721URIStorage, Ownable2Step {
    uint256 private next;

    constructor() ERC721("Paper", "P5") Ownable(msg.sender) {}

    function safeMint(address to, string calldata uri) external onlyOwner returns (uint256 id) { id = next++; _safeMint(to, id); _setTokenURI(id, uri); }
    function setTokenURI(uint256 id, string calldata uri) external onlyOwner { _setTokenURI(id, uri); }
}

/// Whose permissions are another contract's business.
contract Managed5 is AccessManaged, ReentrancyGuard, Nonces {
    uint256 public limit;

    constructor(address manager) AccessManaged(manager) {}

    function setLimit(uint256 next) external restricted { limit = next; }
    function use() external nonReentrant { _useNonce(msg.sender); }
}
