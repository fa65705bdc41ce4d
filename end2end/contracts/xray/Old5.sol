// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.5.13;
pragma experimental ABIEncoderV2;

// What was written in Solidity 0.5: the unnamed fallback, constructors with visibility, no checked arithmetic.

/// A token of its time: one owner, a switch, a list, and an end.
contract OldToken {
    struct Lock { uint128 amount; uint64 until; bool taken; }
    enum Phase { Closed, Open, Done }

    string public name = "Old";
    uint8 public decimals = 18;
    address public owner;
    bool public stopped;
    Phase public phase;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(address => bool) public frozenAccount;
    mapping(address => Lock) public locks;
    address[] public holders;

    modifier onlyOwner() { require(msg.sender == owner, "owner"); _; }

    constructor() public { owner = msg.sender; }

    function() external payable { require(phase == Phase.Open); }

    function transfer(address to, uint256 value) public returns (bool) { move(msg.sender, to, value); return true; }
    function transferFrom(address from, address to, uint256 value) public returns (bool) {
        require(allowance[from][msg.sender] >= value);
        allowance[from][msg.sender] -= value;
        move(from, to, value);
        return true;
    }
    function approve(address spender, uint256 value) public returns (bool) { allowance[msg.sender][spender] = value; return true; }

    function mint(address to, uint256 value) public onlyOwner { totalSupply += value; balanceOf[to] += value; holders.push(to); }
    function setStopped(bool value) public onlyOwner { stopped = value; }
    function freezeAccount(address account, bool frozen) public onlyOwner { frozenAccount[account] = frozen; }
    function setPhase(Phase next) public onlyOwner { phase = next; }
    function lockUp(address account, Lock memory lock) public onlyOwner { locks[account] = lock; }
    function transferOwnership(address next) public onlyOwner { owner = next; }
    function kill() public onlyOwner { selfdestruct(address(uint160(owner))); }
    function cash(uint256 amount) public onlyOwner { msg.sender.transfer(amount); }
    function holderCount() public view returns (uint256) { return holders.length; }

    function move(address from, address to, uint256 value) private {
        require(!stopped);
        require(!frozenAccount[from]);
        require(balanceOf[from] >= value);
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}

/// Coins for tokens, one for one; nobody is in charge.
contract OldWrapped {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function() external payable { deposit(); }
    function deposit() public payable { balanceOf[msg.sender] += msg.value; }
    function withdraw(uint256 value) public {
        require(balanceOf[msg.sender] >= value);
        balanceOf[msg.sender] -= value;
        msg.sender.transfer(value);
    }
    function totalSupply() public view returns (uint256) { return address(this).balance; }
    function approve(address spender, uint256 value) public returns (bool) { allowance[msg.sender][spender] = value; return true; }
    function transfer(address to, uint256 value) public returns (bool) { return transferFrom(msg.sender, to, value); }
    function transferFrom(address from, address to, uint256 value) public returns (bool) {
        require(balanceOf[from] >= value);
        if (from != msg.sender) {
            require(allowance[from][msg.sender] >= value);
            allowance[from][msg.sender] -= value;
        }
        balanceOf[from] -= value;
        balanceOf[to] += value;
        return true;
    }
}

/// Several keepers, each as good as the other (the way of Maker's contracts).
contract OldWards {
    mapping(address => uint256) public wards;
    mapping(bytes32 => uint256) public rates;
    mapping(bytes32 => mapping(address => int256)) public debts;
    uint256 public line;
    bool public live;

    modifier auth() { require(wards[msg.sender] == 1, "not-authorized"); _; }

    constructor() public { wards[msg.sender] = 1; live = true; }

    function rely(address usr) external auth { wards[usr] = 1; }
    function deny(address usr) external auth { wards[usr] = 0; }
    function file(bytes32 what, uint256 data) external auth { if (what == "line") line = data; else rates[what] = data; }
    function cage() external auth { live = false; }
    function draw(bytes32 ilk, int256 wad) external { require(live); debts[ilk][msg.sender] += wad; }
}

/// Argument lists as they could be written then.
contract OldShapes {
    struct Pair { address who; uint256 amount; }
    struct Order { address maker; bytes data; uint8 kind; }

    uint256 public sum;

    function numbers(uint8 a, uint16 b, uint32 c, uint64 d, uint128 e, uint256 f) external { sum = uint256(a) + b + c + d + e + f; }
    function signed(int8 a, int64 b, int256 c) external { sum = uint256(int256(a) + b + c); }
    function shorts(bytes1 a, bytes4 b, bytes20 c, bytes32 d) external { sum = uint256(keccak256(abi.encodePacked(a, b, c, d))); }
    function flags(bool a, bool b) external { if (a && b) sum++; }
    function people(address[] calldata all) external { for (uint256 i; i < all.length; i++) sum += uint160(all[i]); }
    function memoryPeople(address[] memory all) public { for (uint256 i; i < all.length; i++) sum += uint160(all[i]); }
    function fixedList(uint256[3] calldata list) external { sum = list[0] + list[1] + list[2]; }
    function fixedBytes(uint8[2] memory list) public { sum = uint256(list[0]) + list[1]; }
    function texts(string calldata a, bytes calldata b) external { sum = bytes(a).length + uint8(b[0]); }
    function pair(Pair memory p) public { sum = p.amount + uint160(p.who); }
    function pairs(Pair[] memory all) public { for (uint256 i; i < all.length; i++) sum += all[i].amount + uint160(all[i].who); }
    function order(Order memory o, bool fast) public { sum = uint160(o.maker) + o.data.length + o.kind + (fast ? 1 : 0); }
    function grid(uint256[][] memory rows) public { for (uint256 i; i < rows.length; i++) sum += rows[i][0]; }
    function many(bytes[] memory calls) public { for (uint256 i; i < calls.length; i++) sum += calls[i].length; }
}

/// A wallet of several owners who confirm each other.
contract OldMultisig {
    struct Item { address to; uint256 value; bytes data; bool done; }

    mapping(uint256 => Item) public items;
    mapping(uint256 => mapping(address => bool)) public confirmed;
    mapping(address => bool) public isOwner;
    address[] public owners;
    uint256 public required;
    uint256 public itemCount;

    modifier onlyOwners() { require(isOwner[msg.sender]); _; }
    modifier onlyWallet() { require(msg.sender == address(this)); _; }

    constructor(address[] memory first, uint256 count) public {
        for (uint256 i; i < first.length; i++) isOwner[first[i]] = true;
        owners = first;
        required = count;
    }

    function() external payable {}

    function addOwner(address owner) public onlyWallet { isOwner[owner] = true; owners.push(owner); }
    function changeRequirement(uint256 count) public onlyWallet { required = count; }
    function submit(address to, uint256 value, bytes memory data) public onlyOwners returns (uint256 id) {
        id = itemCount++;
        items[id] = Item(to, value, data, false);
    }
    function confirm(uint256 id) public onlyOwners { confirmed[id][msg.sender] = true; }
    function execute(uint256 id) public onlyOwners {
        uint256 count;
        for (uint256 i; i < owners.length; i++) if (confirmed[id][owners[i]]) count++;
        require(count >= required && !items[id].done);
        items[id].done = true;
        (bool ok,) = items[id].to.call.value(items[id].value)(items[id].data);
        require(ok);
    }
}
