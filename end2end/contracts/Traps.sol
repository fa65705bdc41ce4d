// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.26;

/// What anybody may do to a contract that checks nobody: each function is a finding.
contract Traps {
    address private admin;

    function destroy(address payable to) external { selfdestruct(to); }
    function execute(address code, bytes calldata data) external payable {
        (bool done,) = code.delegatecall(data);
        require(done);
    }
    function drain(address payable to) external { to.transfer(address(this).balance); }
    function hatch(bytes memory code, bytes32 salt) external returns (address egg) {
        assembly { egg := create2(0, add(code, 0x20), mload(code), salt) }
    }
    function take() external { admin = msg.sender; }
    function guarded(uint256 value) external view returns (uint256) {
        require(msg.sender == admin);
        return value;
    }
}
