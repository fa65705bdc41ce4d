// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.5.13;

import "@openzeppelin/contracts-2/token/ERC20/ERC20Detailed.sol";
import "@openzeppelin/contracts-2/token/ERC20/ERC20Mintable.sol";
import "@openzeppelin/contracts-2/token/ERC20/ERC20Burnable.sol";
import "@openzeppelin/contracts-2/token/ERC20/ERC20Pausable.sol";
import "@openzeppelin/contracts-2/token/ERC721/ERC721Full.sol";
import "@openzeppelin/contracts-2/token/ERC721/ERC721MetadataMintable.sol";
import "@openzeppelin/contracts-2/drafts/TokenVesting.sol";
import "@openzeppelin/contracts-2/payment/escrow/RefundEscrow.sol";
import "@openzeppelin/contracts-2/ownership/Ownable.sol";

// OpenZeppelin 2 as it was deployed with Solidity 0.5: roles of one kind each, one list per role.

contract Coin2 is ERC20Detailed, ERC20Mintable, ERC20Burnable, ERC20Pausable {
    constructor() public ERC20Detailed("Coin", "C2", 18) {}
}

contract Art2 is ERC721Full, ERC721MetadataMintable {
    constructor() public ERC721Full("Art", "A2") {}
}

contract Vesting2 is TokenVesting {
    constructor(address to) public TokenVesting(to, block.timestamp, 1 days, 30 days, true) {}
}

contract Escrow2 is RefundEscrow {
    constructor(address payable to) public RefundEscrow(to) {}
}

contract Shop2 is Ownable {
    mapping(uint256 => uint256) public prices;

    function setPrice(uint256 id, uint256 price) external onlyOwner { prices[id] = price; }
    function buy(uint256 id) external payable { require(msg.value == prices[id]); }
    function withdraw(address payable to) external onlyOwner { to.transfer(address(this).balance); }
}
