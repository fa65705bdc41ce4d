// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.26;

/// Nothing but shapes: argument types, mutabilities and packed storage that Contract X-ray must read back.
contract Shapes {
    uint128 public low;
    uint64 public middle;
    bool public flag;
    int32 public signed;
    bytes32 public word;
    bytes4 public short;
    mapping(bytes32 key => uint256) public byKey;
    mapping(address account => mapping(uint256 id => bool)) public nested;
    uint256[] public list;
    string public text;

    function setLow(uint128 value) external { low = value; }
    function setMiddle(uint64 value) external { middle = value; }
    function setFlag(bool value) external { flag = value; }
    function setSigned(int32 value) external { signed = value; }
    function setWord(bytes32 value) external { word = value; }
    function setShort(bytes4 value) external { short = value; }
    function setByKey(bytes32 key, uint256 value) external { byKey[key] = value; }
    function setNested(address account, uint256 id, bool value) external { nested[account][id] = value; }
    function append(uint256 value) external { list.push(value); }
    function rename(string calldata value) external { text = value; }

    function deposit() external payable { low += uint128(msg.value); }
    function twice(uint256 value) external pure returns (uint256) { return value * 2; }
    function length() external view returns (uint256) { return list.length; }
    function digest(bytes calldata data) external pure returns (bytes32) { return keccak256(data); }
    function many(address[] calldata accounts, uint256[] calldata values) external pure returns (uint256 sum) {
        for (uint256 i = 0; i < accounts.length; i++) sum += uint160(accounts[i]) + values[i];
    }
}
