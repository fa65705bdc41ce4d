// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.6.0;

import "@openzeppelin/contracts-3/token/ERC20/ERC20Snapshot.sol";
import "@openzeppelin/contracts-3/access/Ownable.sol";
import "@openzeppelin/contracts-3/utils/Pausable.sol";
import "@openzeppelin/contracts-3/token/ERC1155/ERC1155.sol";

// OpenZeppelin 3 with Solidity 0.6.

contract Snap3 is ERC20Snapshot, Ownable, Pausable {
    constructor() public ERC20("Snap", "S3") {}

    function snapshot() external onlyOwner returns (uint256) { return _snapshot(); }
    function stop() external onlyOwner { _pause(); }
    function go() external onlyOwner { _unpause(); }
    function _beforeTokenTransfer(address from, address to, uint256 value) internal override { require(!paused()); super._beforeTokenTransfer(from, to, value); }
}

contract Goods3 is ERC1155, Ownable {
    constructor() public ERC1155("ipfs://{id}") {}

    function mintBatch(address to, uint256[] calldata ids, uint256[] calldata amounts) external onlyOwner { _mintBatch(to, ids, amounts, ""); }
    function burn(address from, uint256 id, uint256 amount) external onlyOwner { _burn(from, id, amount); }
    function setURI(string calldata uri) external onlyOwner { _setURI(uri); }
}
