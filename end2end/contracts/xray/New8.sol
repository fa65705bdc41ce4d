// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.18;

// Solidity 0.8: checked arithmetic, custom errors, types of one's own.

type Price is uint128;
type Id is bytes32;

/// Storage of every kind that a slot can hold.
contract Packed8 {
    enum Side { Buy, Sell, Both }
    struct Point { int64 x; int64 y; }
    struct Order { address maker; Side side; uint64 deadline; Price price; Id id; bool open; }
    struct Book { uint256 count; mapping(uint256 id => Order order) orders; Point[] path; }

    uint8 public tiny;
    int24 public tick;
    bytes3 public code;
    bool public locked;
    address payable public treasury;
    Side public side;
    Price public price;
    uint96 public cap;
    Id public root;
    Point public origin;
    Order public best;
    mapping(Id id => Order order) public orders;
    mapping(address user => mapping(uint8 tier => Price price)) public prices;
    mapping(string name => address owner) public names;
    mapping(uint256 epoch => mapping(address user => mapping(bytes32 key => bool))) public seen;
    Point[] public path;
    uint32[] public stamps;
    address[3] public council;
    uint8[40] public levels;
    string public title;
    bytes public blob;
    string[] public lines;
    Book internal book;

    function setTiny(uint8 value) external { tiny = value; }
    function setTick(int24 value) external { tick = value; }
    function setCode(bytes3 value) external { code = value; }
    function setLocked(bool value) external { locked = value; }
    function setTreasury(address payable value) external { treasury = value; }
    function setSide(Side value) external { side = value; }
    function setPrice(Price value) external { price = value; }
    function setCap(uint96 value) external { cap = value; }
    function setRoot(Id value) external { root = value; }
    function setOrigin(int64 x, int64 y) external { origin = Point(x, y); }
    function setBest(Order calldata order) external { best = order; }
    function place(Id id, Order calldata order) external { orders[id] = order; }
    function setPriceOf(address user, uint8 tier, Price value) external { prices[user][tier] = value; }
    function claim(string calldata name) external { require(names[name] == address(0)); names[name] = msg.sender; }
    function see(uint256 epoch, bytes32 key) external { seen[epoch][msg.sender][key] = true; }
    function go(int64 x, int64 y) external { path.push(Point(x, y)); }
    function stamp() external { stamps.push(uint32(block.timestamp)); }
    function elect(uint256 seat, address who) external { council[seat] = who; }
    function level(uint256 at, uint8 value) external { levels[at] = value; }
    function rename(string calldata value) external { title = value; }
    function store(bytes calldata value) external { blob = value; }
    function write(string calldata line) external { lines.push(line); }
    function enter(Order calldata order) external { book.orders[book.count++] = order; book.path.push(Point(1, 2)); }
}

/// Argument lists of every kind.
contract Shapes8 {
    enum Kind { A, B }
    struct Inner { uint256 a; bytes b; }
    struct Call { address to; bool allowFailure; bytes data; }
    struct Deep { Inner[] inners; string name; uint16[3] three; }

    uint256 public sum;
    mapping(bytes32 => uint256) internal by;

    function calls(Call[] calldata all) external payable { for (uint256 i; i < all.length; i++) { (bool ok,) = all[i].to.call(all[i].data); require(ok || all[i].allowFailure); } }
    function deep(Deep calldata d) external { sum = d.inners.length + bytes(d.name).length + d.three[2]; }
    function deepMemory(Deep memory d) public { sum = d.inners[0].a + d.inners[0].b.length + bytes(d.name).length + d.three[1]; }
    function kinds(Kind[] calldata all) external { for (uint256 i; i < all.length; i++) if (all[i] == Kind.B) sum++; }
    function people(address[] calldata all, uint96[] calldata shares) external { for (uint256 i; i < all.length; i++) by[bytes20(all[i])] += shares[i]; }
    function peopleMemory(address[] memory all) public { for (uint256 i; i < all.length; i++) by[bytes20(all[i])]++; }
    function flags(bool[] calldata all) external { for (uint256 i; i < all.length; i++) if (all[i]) sum++; }
    function proofs(bytes32[] calldata proof, bytes32 leaf) external { for (uint256 i; i < proof.length; i++) leaf = keccak256(abi.encodePacked(leaf, proof[i])); by[leaf]++; }
    function tags(bytes4[] calldata all) external { for (uint256 i; i < all.length; i++) by[all[i]]++; }
    function signatures(bytes[] calldata all) external { for (uint256 i; i < all.length; i++) by[keccak256(all[i])]++; }
    function strings(string[] memory all) public { for (uint256 i; i < all.length; i++) by[keccak256(bytes(all[i]))]++; }
    function grid(uint256[][] calldata rows) external { for (uint256 i; i < rows.length; i++) sum += rows[i].length; }
    function square(uint64[2][2] calldata rows) external { sum = rows[0][0] + rows[1][1]; }
    function priced(Price price, Id id, Kind kind) external { by[Id.unwrap(id)] = Price.unwrap(price) + uint8(kind); }
    function small(int8 a, int16 b, int24 c, int256 d) external { sum = uint256(int256(a) + b + c + d); }
    function bits(bytes1 a, bytes2 b, bytes8 c, bytes31 d) external { by[keccak256(abi.encode(a, b, c, d))]++; }
    function sum3(uint40 a, uint72 b, uint248 c) external { sum = uint256(a) + b + c; }
    function note(string memory text, address from) public { by[keccak256(bytes(text))] = uint160(from); }
    function unused(address, uint256 amount, bytes calldata) external { sum = amount; }
    function nothing() external { sum = 0; }
    receive() external payable {}
}

/// Whose owner can never change.
contract Immutable8 {
    address public immutable boss;
    address public immutable factory;
    uint256 public limit;
    mapping(address => bool) public allowed;

    error NotBoss();

    modifier onlyBoss() { if (msg.sender != boss) revert NotBoss(); _; }

    constructor(address f) { boss = msg.sender; factory = f; }

    receive() external payable {}

    function setLimit(uint256 value) external onlyBoss { limit = value; }
    function allow(address account, bool yes) external onlyBoss { allowed[account] = yes; }
    function pay(address payable to, uint256 amount) external onlyBoss { require(amount <= limit); to.transfer(amount); }
    function execute(address to, bytes calldata data) external onlyBoss returns (bytes memory) { (bool ok, bytes memory answer) = to.call(data); require(ok); return answer; }
    function take(uint256 amount) external { require(allowed[msg.sender]); payable(msg.sender).transfer(amount); }
}

/// Auction: coins go out to whoever was outbid; the seller gets the last bid. Nobody has a power.
contract Auction8 {
    address payable public immutable seller;
    uint64 public immutable endsAt;
    address public highestBidder;
    uint96 public highestBid;
    mapping(address bidder => uint256) public pendingReturns;
    bool public ended;

    constructor(uint64 length) { seller = payable(msg.sender); endsAt = uint64(block.timestamp) + length; }

    function bid() external payable {
        require(block.timestamp < endsAt && msg.value > highestBid);
        pendingReturns[highestBidder] += highestBid;
        highestBidder = msg.sender;
        highestBid = uint96(msg.value);
    }
    function withdraw() external {
        uint256 amount = pendingReturns[msg.sender];
        pendingReturns[msg.sender] = 0;
        (bool ok,) = msg.sender.call{value: amount}("");
        require(ok);
    }
    function end() external { require(block.timestamp >= endsAt && !ended); ended = true; seller.transfer(highestBid); }
}

/// A wallet account (as EIP-7702 delegates to): it obeys itself and its entry point.
contract Account8 {
    struct Call { address to; uint256 value; bytes data; }

    address public constant entryPoint = 0x0000000071727De22E5E9d8BAf0edAc6f37da032;
    mapping(uint192 key => uint64 seq) public nonces;

    receive() external payable {}

    function execute(Call[] calldata calls) external payable {
        require(msg.sender == address(this) || msg.sender == entryPoint, "not from itself");
        for (uint256 i; i < calls.length; i++) { (bool ok,) = calls[i].to.call{value: calls[i].value}(calls[i].data); require(ok); }
    }
    function bump(uint192 key) external { require(msg.sender == address(this), "not from itself"); nonces[key]++; }
    function supportsInterface(bytes4 id) external pure returns (bool) { return id == 0x01ffc9a7; }
}

/// Roles of its own making, a minter per account with an allowance, and a list.
contract Minters8 {
    address public owner;
    address public pendingOwner;
    address public masterMinter;
    address public blacklister;
    uint256 public totalSupply;
    mapping(address account => uint256) public balanceOf;
    mapping(address from => mapping(address spender => uint256)) public allowance;
    mapping(address minter => bool) public isMinter;
    mapping(address minter => uint256) public minterAllowance;
    mapping(address account => bool) public isBlacklisted;

    error Refused(address caller);

    modifier only(address who) { if (msg.sender != who) revert Refused(msg.sender); _; }

    constructor() { owner = msg.sender; masterMinter = msg.sender; blacklister = msg.sender; }

    function transfer(address to, uint256 value) external returns (bool) { _move(msg.sender, to, value); return true; }
    function transferFrom(address from, address to, uint256 value) external returns (bool) { allowance[from][msg.sender] -= value; _move(from, to, value); return true; }
    function approve(address spender, uint256 value) external returns (bool) { allowance[msg.sender][spender] = value; return true; }

    function mint(address to, uint256 value) external {
        require(isMinter[msg.sender], "not a minter");
        minterAllowance[msg.sender] -= value;
        totalSupply += value;
        balanceOf[to] += value;
    }
    function burn(uint256 value) external { require(isMinter[msg.sender], "not a minter"); totalSupply -= value; balanceOf[msg.sender] -= value; }
    function configureMinter(address minter, uint256 value) external only(masterMinter) { isMinter[minter] = true; minterAllowance[minter] = value; }
    function removeMinter(address minter) external only(masterMinter) { isMinter[minter] = false; minterAllowance[minter] = 0; }
    function blacklist(address account) external only(blacklister) { isBlacklisted[account] = true; }
    function unBlacklist(address account) external only(blacklister) { isBlacklisted[account] = false; }
    function updateMasterMinter(address next) external only(owner) { masterMinter = next; }
    function updateBlacklister(address next) external only(owner) { blacklister = next; }
    function transferOwnership(address next) external only(owner) { pendingOwner = next; }
    function acceptOwnership() external only(pendingOwner) { owner = msg.sender; delete pendingOwner; }

    function _move(address from, address to, uint256 value) private {
        require(!isBlacklisted[from] && !isBlacklisted[to], "blacklisted");
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}

/// One struct in storage where a hash says (ERC-7201), a lock in transient storage's place, and an initialiser that anybody may win.
contract Namespaced8 {
    /// @custom:storage-location erc7201:coinslot.vault
    struct Vault { address owner; uint64 fee; bool open; mapping(address user => uint256) shares; }

    bytes32 private constant PLACE = 0x9a51a7d8e2d8b5f2d0f3c3f6a7f08e1c5ad2f1b9c3e4d5f60718293a4b5c6d00;

    function _vault() private pure returns (Vault storage v) { assembly { v.slot := PLACE } }

    function initialize(address first) external { Vault storage v = _vault(); require(v.owner == address(0), "done"); v.owner = first; v.open = true; }
    function setFee(uint64 fee) external { Vault storage v = _vault(); require(msg.sender == v.owner, "owner"); v.fee = fee; }
    function close() external { Vault storage v = _vault(); require(msg.sender == v.owner, "owner"); v.open = false; }
    function deposit() external payable { Vault storage v = _vault(); require(v.open); v.shares[msg.sender] += msg.value - msg.value * v.fee / 1e18; }
    function withdraw(uint256 amount) external { Vault storage v = _vault(); v.shares[msg.sender] -= amount; payable(msg.sender).transfer(amount); }
    function transferOwnership(address next) external { Vault storage v = _vault(); require(msg.sender == v.owner, "owner"); v.owner = next; }
}
