// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.26;

/// A token that looks like any other and gives its owner nearly everything: the demo's example for Contract X-ray.
///
/// One creation transaction deploys it, with no arguments. Nobody should ever hold it.
contract DemoToken {
    string public name;
    string public symbol;
    uint8 public constant decimals = 18;
    uint256 public totalSupply;

    mapping(address account => uint256) public balanceOf;
    mapping(address holder => mapping(address spender => uint256)) public allowance;

    address public owner;
    bool public paused;
    /// Of every transfer, in hundredths of a percent. Nothing stops it at 100 %.
    uint16 public feeBasisPoints;
    address public feeCollector;
    mapping(address account => bool) public isBlacklisted;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    error NotTheOwner(address caller);

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotTheOwner(msg.sender);
        _;
    }

    constructor() {
        name = "Shiny Demo Token";
        symbol = "SHINY";
        owner = msg.sender;
        feeCollector = msg.sender;
        feeBasisPoints = 30;
        emit OwnershipTransferred(address(0), msg.sender);
        _mint(msg.sender, 1_000_000e18);
    }

    receive() external payable {}

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        allowance[from][msg.sender] -= value;
        _move(from, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function mint(address to, uint256 value) external onlyOwner {
        _mint(to, value);
    }

    function burnFrom(address from, uint256 value) external onlyOwner {
        balanceOf[from] -= value;
        totalSupply -= value;
        emit Transfer(from, address(0), value);
    }

    function setPaused(bool on) external onlyOwner {
        paused = on;
    }

    function setBlacklisted(address account, bool on) external onlyOwner {
        isBlacklisted[account] = on;
    }

    function setFee(uint16 basisPoints, address collector) external onlyOwner {
        feeBasisPoints = basisPoints;
        feeCollector = collector;
    }

    function sweep(address payable to) external onlyOwner {
        (bool sent,) = to.call{value: address(this).balance}("");
        require(sent, "sweep failed");
    }

    function sweepToken(address token, address to, uint256 value) external onlyOwner {
        (bool sent,) = token.call(abi.encodeWithSelector(this.transfer.selector, to, value));
        require(sent, "sweep failed");
    }

    /// The owner's code, in this contract's storage.
    function run(address code, bytes calldata data) external onlyOwner returns (bytes memory) {
        (bool done, bytes memory answer) = code.delegatecall(data);
        require(done, "run failed");
        return answer;
    }

    function transferOwnership(address newOwner) external onlyOwner {
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }

    function renounceOwnership() external onlyOwner {
        emit OwnershipTransferred(owner, address(0));
        owner = address(0);
    }

    function _move(address from, address to, uint256 value) private {
        require(!paused, "paused");
        require(!isBlacklisted[from] && !isBlacklisted[to], "blacklisted");
        uint256 fee = (value * feeBasisPoints) / 10_000;
        balanceOf[from] -= value;
        balanceOf[to] += value - fee;
        balanceOf[feeCollector] += fee;
        emit Transfer(from, to, value - fee);
        if (fee != 0) emit Transfer(from, feeCollector, fee);
    }

    function _mint(address to, uint256 value) private {
        totalSupply += value;
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }
}
