// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity >=0.6.0 <0.8.0;
pragma experimental ABIEncoderV2;

// Solidity 0.6 and 0.7: receive and fallback by name, try and catch, immutables from 0.6.5 on.

/// A token whose keeper freezes and wipes.
contract Stable6 {
    address public owner;
    address public supplyController;
    address public complianceRole;
    bool public paused;
    uint256 public totalSupply;
    mapping(address => uint256) private balances;
    mapping(address => mapping(address => uint256)) private allowed;
    mapping(address => bool) private frozen;

    modifier onlyOwner() { require(msg.sender == owner, "onlyOwner"); _; }
    modifier onlySupplyController() { require(msg.sender == supplyController, "onlySupplyController"); _; }
    modifier onlyCompliance() { require(msg.sender == complianceRole, "onlyCompliance"); _; }

    constructor() public { owner = msg.sender; supplyController = msg.sender; complianceRole = msg.sender; }

    function balanceOf(address account) public view returns (uint256) { return balances[account]; }
    function allowance(address from, address spender) public view returns (uint256) { return allowed[from][spender]; }
    function isFrozen(address account) public view returns (bool) { return frozen[account]; }

    function transfer(address to, uint256 value) public returns (bool) { move(msg.sender, to, value); return true; }
    function transferFrom(address from, address to, uint256 value) public returns (bool) {
        require(value <= allowed[from][msg.sender], "insufficient allowance");
        allowed[from][msg.sender] -= value;
        move(from, to, value);
        return true;
    }
    function approve(address spender, uint256 value) public returns (bool) { allowed[msg.sender][spender] = value; return true; }

    function pause() public onlyOwner { paused = true; }
    function unpause() public onlyOwner { paused = false; }
    function transferOwnership(address next) public onlyOwner { require(next != address(0)); owner = next; }
    function setSupplyController(address next) public { require(msg.sender == supplyController || msg.sender == owner); supplyController = next; }
    function setComplianceRole(address next) public onlyOwner { complianceRole = next; }
    function increaseSupply(uint256 value) public onlySupplyController { totalSupply += value; balances[supplyController] += value; }
    function decreaseSupply(uint256 value) public onlySupplyController {
        require(value <= balances[supplyController]);
        balances[supplyController] -= value;
        totalSupply -= value;
    }
    function freeze(address account) public onlyCompliance { frozen[account] = true; }
    function unfreeze(address account) public onlyCompliance { frozen[account] = false; }
    function wipeFrozenAddress(address account) public onlyCompliance {
        require(frozen[account], "not frozen");
        uint256 value = balances[account];
        balances[account] = 0;
        totalSupply -= value;
    }

    function move(address from, address to, uint256 value) private {
        require(!paused, "paused");
        require(!frozen[from] && !frozen[to], "frozen");
        require(value <= balances[from], "insufficient funds");
        balances[from] -= value;
        balances[to] += value;
    }
}

/// Pays out what each has paid in: nobody's power, though coins leave it.
contract Piggy6 {
    address payable public immutable keeper;
    mapping(address => uint256) public saved;
    uint40 public opensAt;
    uint24 public visits;
    bytes5 public tag;

    constructor() public { keeper = msg.sender; opensAt = uint40(block.timestamp); }

    receive() external payable { saved[msg.sender] += msg.value; visits++; }
    fallback() external { visits--; }

    function breakOpen() external {
        require(block.timestamp > opensAt, "too early");
        uint256 amount = saved[msg.sender];
        saved[msg.sender] = 0;
        msg.sender.transfer(amount);
    }
    function label(bytes5 next) external { require(msg.sender == keeper, "keeper"); tag = next; }
    function reschedule(uint40 next) external { require(msg.sender == keeper, "keeper"); opensAt = next; }
    function rescue(uint256 amount) external { require(msg.sender == keeper, "keeper"); keeper.transfer(amount); }
}

library Lists {
    struct List { uint256[] items; mapping(uint256 => uint256) places; }

    function add(List storage list, uint256 item) external {
        require(list.places[item] == 0);
        list.items.push(item);
        list.places[item] = list.items.length;
    }
    function size(List storage list) external view returns (uint256) { return list.items.length; }
}

/// Its list is kept by a library at an address of its own.
contract Linked6 {
    using Lists for Lists.List;

    Lists.List private list;
    uint256 public adds;

    function add(uint256 item) external { list.add(item); adds++; }
    function size() external view returns (uint256) { return list.size(); }
}

/// Owners that hand over in two steps, and a timelock's admin that is the contract itself.
contract Lock6 {
    address public admin;
    address public pendingAdmin;
    uint256 public delay;
    mapping(bytes32 => bool) public queuedTransactions;

    constructor() public { admin = msg.sender; delay = 2 days; }

    receive() external payable {}

    function setDelay(uint256 next) public { require(msg.sender == address(this), "itself only"); delay = next; }
    function acceptAdmin() public { require(msg.sender == pendingAdmin, "pending only"); admin = msg.sender; pendingAdmin = address(0); }
    function setPendingAdmin(address next) public { require(msg.sender == address(this), "itself only"); pendingAdmin = next; }
    function queueTransaction(address target, uint256 value, string memory signature, bytes memory data, uint256 eta) public returns (bytes32) {
        require(msg.sender == admin, "admin only");
        require(eta >= block.timestamp + delay);
        bytes32 hash = keccak256(abi.encode(target, value, signature, data, eta));
        queuedTransactions[hash] = true;
        return hash;
    }
    function executeTransaction(address target, uint256 value, string memory signature, bytes memory data, uint256 eta) public payable returns (bytes memory) {
        require(msg.sender == admin, "admin only");
        bytes32 hash = keccak256(abi.encode(target, value, signature, data, eta));
        require(queuedTransactions[hash] && block.timestamp >= eta);
        queuedTransactions[hash] = false;
        (bool ok, bytes memory answer) = target.call{value: value}(abi.encodePacked(bytes4(keccak256(bytes(signature))), data));
        require(ok);
        return answer;
    }
}

/// Structs, arrays and tuples as the second ABI coder takes them.
contract Shapes6 {
    struct Leg { address pool; uint24 fee; bool zeroForOne; }
    struct Route { Leg[] legs; uint256 amount; address to; }
    struct Flat { uint128 a; uint128 b; bytes32 c; }

    Flat public flat;
    Leg[] public legs;
    mapping(bytes4 => Flat) public flats;
    mapping(address => uint64[]) public stamps;
    uint16[20] public small;
    bytes32[2][3] public grid;
    bytes public blob;
    int128 public delta;

    function setFlat(Flat memory next) public { flat = next; }
    function setBy(bytes4 key, Flat memory next) public { flats[key] = next; }
    function route(Route memory r) public { for (uint256 i; i < r.legs.length; i++) legs.push(r.legs[i]); require(r.amount > 0 && r.to != address(0)); }
    function leg(Leg memory l) public { legs.push(l); }
    function legsOf(Leg[2] memory two) public { legs.push(two[0]); legs.push(two[1]); }
    function stamp(uint64 at) external { stamps[msg.sender].push(at); }
    function setSmall(uint256 at, uint16 value) external { small[at] = value; }
    function setGrid(uint8 x, uint8 y, bytes32 value) external { grid[x][y] = value; }
    function setBlob(bytes calldata next) external { blob = next; }
    function move(int128 by) external { delta += by; }
    function batch(address[] calldata to, bytes[] calldata data, uint256[] calldata values) external payable returns (uint256 sum) {
        require(to.length == data.length && data.length == values.length);
        for (uint256 i; i < to.length; i++) { require(to[i] != address(0)); sum += values[i] + data[i].length; }
    }
    function nested(uint8[][] calldata rows) external pure returns (uint256 sum) {
        for (uint256 i; i < rows.length; i++) for (uint256 j; j < rows[i].length; j++) sum += rows[i][j];
    }
    function words(string[] calldata all) external pure returns (uint256 sum) { for (uint256 i; i < all.length; i++) sum += bytes(all[i]).length; }
    function fixedBools(bool[4] calldata all) external pure returns (bool any) { for (uint256 i; i < 4; i++) any = any || all[i]; }
}
