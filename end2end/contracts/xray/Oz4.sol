// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.0;

import "@openzeppelin/contracts-4/access/Ownable2Step.sol";
import "@openzeppelin/contracts-4/proxy/utils/UUPSUpgradeable.sol";
import "@openzeppelin/contracts-4/proxy/utils/Initializable.sol";
import "@openzeppelin/contracts-4/token/ERC20/extensions/ERC20Votes.sol";
import "@openzeppelin/contracts-4/token/ERC721/extensions/ERC721Enumerable.sol";
import "@openzeppelin/contracts-4/token/ERC721/extensions/ERC721Royalty.sol";
import "@openzeppelin/contracts-4/utils/Multicall.sol";
import "@openzeppelin/contracts-4/proxy/Clones.sol";

// OpenZeppelin 4.

contract Votes4 is ERC20Votes, Ownable2Step {
    constructor() ERC20("Votes", "V4") ERC20Permit("Votes") {}

    function mint(address to, uint256 amount) external onlyOwner { _mint(to, amount); }
}

contract Box4 is UUPSUpgradeable, Initializable {
    address public owner;
    uint256 public value;

    function initialize(address first) external initializer { owner = first; }
    function store(uint256 next) external { value = next; }
    function _authorizeUpgrade(address) internal view override { require(msg.sender == owner, "owner"); }
}

contract Cards4 is ERC721Enumerable, ERC721Royalty, Ownable2Step, Multicall {
    string private base;

    constructor() ERC721("Cards", "C4") {}

    function mint(address to, uint256 id) external onlyOwner { _safeMint(to, id); }
    function setBase(string calldata uri) external onlyOwner { base = uri; }
    function setDefaultRoyalty(address to, uint96 share) external onlyOwner { _setDefaultRoyalty(to, share); }
    function _baseURI() internal view override returns (string memory) { return base; }
    function _beforeTokenTransfer(address from, address to, uint256 id, uint256 count) internal override(ERC721, ERC721Enumerable) { super._beforeTokenTransfer(from, to, id, count); }
    function _burn(uint256 id) internal override(ERC721, ERC721Royalty) { super._burn(id); }
    function supportsInterface(bytes4 id) public view override(ERC721Enumerable, ERC721Royalty) returns (bool) { return super.supportsInterface(id); }
}

/// Makes clones (EIP-1167), for anybody.
contract Maker4 {
    address public immutable model;
    address[] public made;

    constructor(address code) { model = code; }

    function make(bytes32 salt) external returns (address clone) { clone = Clones.cloneDeterministic(model, salt); made.push(clone); }
}
