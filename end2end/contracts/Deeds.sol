// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.26;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";

// What transactions do and how they fail, for Tx Explainer: nothing here is for use.

contract PlayCoin is ERC20 {
    constructor() ERC20("Play Coin", "PLAY") { _mint(msg.sender, 1_000_000e6); }

    function decimals() public pure override returns (uint8) { return 6; }
    function mint(address to, uint256 amount) external { _mint(to, amount); }
}

/// A token that says its symbol in 32 bytes, as the first ones did.
contract OldCoin {
    bytes32 public constant symbol = "OLD";
    uint8 public constant decimals = 18;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function transfer(address to, uint256 amount) external returns (bool) {
        emit Transfer(msg.sender, to, amount);
        return true;
    }
}

contract PlayCards is ERC721 {
    constructor() ERC721("Play Cards", "CARD") {}

    function safeMint(address to, uint256 id) external { _safeMint(to, id); }
}

contract PlayItems is ERC1155 {
    constructor() ERC1155("ipfs://items/{id}") {}

    function mint(address to, uint256 id, uint256 amount, bytes calldata data) external { _mint(to, id, amount, data); }
}

struct Order {
    address to;
    uint64[2] rates;
    string note;
}

struct Call3 {
    address target;
    bool allowFailure;
    bytes callData;
}

contract Deeds {
    enum Color { Red, Green }

    uint256[] private list;
    mapping(address => uint256) public coins;

    event Done(address indexed by, string indexed title, bytes data, int256 change);
    event Filled(Order order, uint256 indexed place);
    event Deposit(address indexed dst, uint256 wad);
    event Withdrawal(address indexed src, uint256 wad);

    error TooLate(uint256 at, string why);
    error Refused(address who, Order order);
    error OwnableUnauthorizedAccount(address account);

    receive() external payable {
        coins[msg.sender] += msg.value;
        emit Deposit(msg.sender, msg.value);
    }

    function withdraw(uint256 amount) external {
        coins[msg.sender] -= amount;
        emit Withdrawal(msg.sender, amount);
        (bool sent,) = msg.sender.call{value: amount}("");
        require(sent, "not sent");
    }

    // Arguments of every kind.

    function fill(Order[] calldata orders, bytes32 key, int24 tick) external payable {
        for (uint256 i = 0; i < orders.length; i++) emit Filled(orders[i], i);
        emit Done(msg.sender, "filled", abi.encode(key), tick);
    }
    function shapes(bool yes, uint8[] calldata small, bytes[2] calldata pair, string calldata words, uint96[][] calldata deep) external {
        emit Done(msg.sender, words, abi.encode(yes, small, pair, deep), -1);
    }
    function nothing() external {}

    // Calls in calls.

    function multicall(bytes[] calldata calls) external payable {
        for (uint256 i = 0; i < calls.length; i++) {
            (bool done, bytes memory answer) = address(this).delegatecall(calls[i]);
            pass(done, answer);
        }
    }
    function execute(address target, uint256 value, bytes calldata data) external payable {
        (bool done, bytes memory answer) = target.call{value: value}(data);
        pass(done, answer);
    }
    function executeBatch(address[] calldata targets, uint256[] calldata values, bytes[] calldata datas) external payable {
        for (uint256 i = 0; i < targets.length; i++) {
            (bool done, bytes memory answer) = targets[i].call{value: values[i]}(datas[i]);
            pass(done, answer);
        }
    }
    function aggregate3(Call3[] calldata calls) external payable {
        for (uint256 i = 0; i < calls.length; i++) {
            (bool done, bytes memory answer) = calls[i].target.call(calls[i].callData);
            if (!calls[i].allowFailure) pass(done, answer);
        }
    }
    /// As Safe does it, without looking at signatures.
    function execTransaction(
        address to, uint256 value, bytes calldata data, uint8 operation, uint256, uint256, uint256, address, address, bytes calldata
    ) external payable returns (bool) {
        (bool done, bytes memory answer) = operation == 1 ? to.delegatecall(data) : to.call{value: value}(data);
        pass(done, answer);
        return true;
    }

    // Ways to fail.

    function failWithWords(string calldata words) external pure { revert(words); }
    function failEmpty() external pure { require(false); }
    function failNamed(uint256 at) external pure { revert TooLate(at, "come back tomorrow"); }
    function failStruct(Order calldata order) external view { revert Refused(msg.sender, order); }
    function failWellKnown() external view { revert OwnableUnauthorizedAccount(msg.sender); }
    function failDeep() external view { Deeds(payable(this)).failNamed(7); }
    function failAfter(address token, address to) external {
        PlayCoin(token).transfer(to, type(uint256).max);
    }
    function panicAssert(uint256 n) external pure { assert(n == 0); }
    function panicOverflow(uint8 n) external pure returns (uint8) { return n + 255; }
    function panicDivide(uint256 n) external pure returns (uint256) { return 1 / n; }
    function panicEnum(uint256 n) external pure returns (Color) { return Color(n); }
    function panicPop() external { list.pop(); }
    function panicIndex(uint256 n) external view returns (uint256) { return list[n]; }
    function panicMemory(uint256 n) external pure returns (uint256) { uint256[] memory big = new uint256[](n); return big.length; }
    function panicZero() external { function() internal nobody; nobody(); }
    function spin() external { while (true) list.push(1); }
    function invalid() external pure { assembly { invalid() } }
    function recurse() external { this.recurse(); }

    function pass(bool done, bytes memory answer) private pure {
        if (!done) assembly { revert(add(answer, 32), mload(answer)) }
    }
}
