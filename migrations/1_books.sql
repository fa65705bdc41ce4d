-- The books: SQL that SQLite and PostgreSQL share, so `text` and `bigint` only.
--
-- Amounts are atomic units as decimal text: a 64-bit integer of wei ends at 9.22 MON. Times are Unix milliseconds. Ids are UUIDv7 as
-- text, so they sort by time. Addresses and hashes are lower case, so equal ones are equal texts. No value comes from the database's
-- clock or random numbers: whoever writes a row brings them.

-- Money that has arrived and is final, once, whichever instance saw it first. Never updated, never deleted; what became of it is in
-- `entries`.
create table deposits
(
    deposit_id text not null primary key,
    -- CAIP-2: `eip155:10143`.
    network text not null,
    -- What makes it the same payment on chain: `tx/<hash>` of a transfer; of an authorization `eip3009/<token>/<payer>/<nonce>` or
    -- `permit2/<payer>/<nonce>`, whoever sent it and in whichever transaction.
    proof text not null,
    -- The transaction that moved it: for a person who looks it up. It is the proof of a transfer only.
    transaction_hash text not null,
    -- Who paid, as the chain says, not as the presenter says.
    payer text not null,
    -- The shop's address that it went to; a shop can move to another one.
    pay_to text not null,
    -- With its network (`eip155:10143/native`): play money of one chain is never money on another.
    asset text not null,
    amount text not null check (amount not like '-%'),
    block bigint not null,
    block_time_ms bigint not null,
    -- Told by its hash, found while its payer was watched for, settled from an authorization, or settled by a stranger's contract that
    -- does not say for which authorization.
    how text not null check (how in ('hash', 'watch', 'settlement', 'wrapped')),
    booked_ms bigint not null,
    -- One payment, one deposit: every race ends here.
    unique (network, proof)
);

-- What moved once pays for one authorization, however many it used up.
create unique index deposits_wrapped on deposits (network, transaction_hash) where how = 'wrapped';

-- A call that somebody showed a payment for. The presenter is its payer until the chain says otherwise; a thief who shows a fresh hash
-- first gets a row of his own, and blocks nobody.
create table runs
(
    run_id text not null primary key,
    agent text not null,
    version text not null,
    payer text not null,
    state text not null check (state in ('waiting', 'held', 'running', 'done', 'failed', 'void')),
    -- The exact body. Null where it was deleted; the accounting row stays.
    input text,
    -- "The same input" is this, everywhere.
    input_sha256 text not null,
    network text not null,
    -- `tx/<hash>`, `credit/<uuid>`, or an authorization's identity (see `deposits`).
    proof text not null,
    -- The client's own id for this payment (x402's payment-identifier): whoever repeats it means this run.
    payment_id text,
    -- The sealed offer that the payment echoed: all of it or nothing.
    terms_price text,
    terms_asset text,
    terms_issued_ms bigint,
    terms_expires_ms bigint,
    terms_nonce_sha256 text,
    -- What was held for it. A later hold of a failed run may have another price; its entries tell each.
    asset text,
    price text,
    -- The block that shows its transaction, not final yet.
    included_block bigint,
    -- The stored bytes that every replay gets. Null where they were deleted.
    output text,
    output_sha256 text,
    -- What made the answer: `computed`, or a model's name.
    engine text,
    -- A `CallError` as JSON: why it failed or was void.
    error text,
    -- 1: that error is final for this input (`retry: no`), so the next visitor is told before paying. No boolean: `sqlx::Any` has none.
    error_final bigint not null default 0,
    -- Counted before the work, since it was last held.
    attempts bigint not null default 0,
    -- The fence: who does not know the token of the last lease writes nothing.
    lease_token text,
    lease_until_ms bigint,
    -- SHA-256 of the key that lets a program read the answer.
    key_sha256 text not null,
    created_ms bigint not null,
    -- When it was last shown to us.
    presented_ms bigint not null,
    held_ms bigint,
    finished_ms bigint,
    -- One payment of one presenter, one run.
    unique (network, proof, payer),
    check ((price is null) = (state in ('waiting', 'void'))),
    check ((price is null) = (asset is null)),
    check ((lease_token is null) = (state <> 'running')),
    check ((lease_until_ms is null) = (lease_token is null)),
    check (state <> 'done' or output_sha256 is not null)
);

-- One id of one payer, one payment. A database takes any number of nulls for different ones.
create unique index runs_by_payment_id on runs (payer, payment_id) where payment_id is not null;
-- History pages seek from a run's id.
create index runs_by_payer on runs (payer, run_id);
-- What the follower of a network waits for; few rows, whatever the table's size.
create index runs_waiting_by_network on runs (network, presented_ms) where state = 'waiting';
-- What a page shows as under way, and how many unseen payments its wallet has.
create index runs_under_way on runs (payer, run_id) where state in ('waiting', 'held', 'running');
-- How many calls from credit a wallet began within the hour that nothing was held for.
create index runs_never_held on runs (payer, presented_ms) where state in ('waiting', 'void');
-- The worker takes the oldest.
create index runs_to_do on runs (held_ms, run_id) where state in ('held', 'running');
-- Is this input known to fail?
create index runs_known_failures on runs (agent, version, input_sha256, finished_ms) where state = 'failed' and error_final = 1;

-- How far the work of a run is, as its agent says: of its last attempt only, so it is bounded. It survives a crash, so that whoever waits, on
-- whichever instance, sees where the work was and that it began again. No money depends on it.
create table progress
(
    run_id text not null references runs,
    -- 0: no step, but the mark that the work was begun again. 1, 2, …: the steps of this attempt, in their order.
    place bigint not null check (place between 0 and 50),
    -- Counts what was written for a run through all of its attempts, and never goes back: who has seen up to a number misses nothing above it.
    seq bigint not null,
    step bigint not null,
    -- How many steps there are; 0: the agent does not know.
    of_steps bigint not null,
    -- May say what is in the input or the output, so it is deleted with them.
    words text not null,
    at_ms bigint not null,
    primary key (run_id, place)
);

-- A token payment that its payer signed and that somebody else sends: one row per run that is paid so. It is no money of ours until it is
-- settled, so nothing of it is in `entries` before. Whoever changes it, or ends its run, takes this row first.
create table authorizations
(
    run_id text not null primary key references runs,
    network text not null,
    -- The token, with its network.
    asset text not null,
    payer text not null,
    method text not null check (method in ('eip3009', 'permit2')),
    -- Signed by the payer, so it is not ours to change.
    pay_to text not null,
    amount text not null check (amount not like '-%'),
    -- Later than this no block takes it.
    valid_before_ms bigint not null,
    -- The payload's JSON, signature included: with it anybody can settle, the payer's money to us and nowhere else.
    signed text not null,
    -- Whatever became of it is in the blocks above this one.
    since_block bigint not null,
    -- 1: the agent begins when the money is here.
    settle_first bigint not null check (settle_first in (0, 1)),
    -- The agent's answer, withheld until the payment is settled; then it is the run's output.
    answer text,
    engine text,
    -- Our transaction that settles it, and its exact bytes (lower-case hex): written before it is broadcast, so that a crash sends the
    -- same one again and never a second one.
    transaction_hash text,
    raw text,
    sent_ms bigint,
    -- `settled` by whom ever: its deposit is there. `unused`: its time was over on a final block, and nobody had sent it.
    state text not null check (state in ('open', 'settled', 'unused')),
    -- Counts the transactions that took the row, as in `balances`.
    version bigint not null default 1,
    check ((answer is null) = (engine is null)),
    check ((raw is null) = (transaction_hash is null)),
    check ((sent_ms is null) = (transaction_hash is null))
);

-- Those whose time is over are looked up; few are open.
create index authorizations_open on authorizations (network, valid_before_ms) where state = 'open';
-- How many a payer has.
create index authorizations_open_by_payer on authorizations (payer) where state = 'open';

-- Failures that cost nobody an entry: of runs whose payment was never settled. The others are the releases in `entries`. Kept while they
-- count.
create table failures
(
    failure_id text not null primary key,
    run_id text not null references runs,
    payer text not null,
    failed_ms bigint not null
);

create index failures_by_payer on failures (payer, failed_ms);
create index failures_by_time on failures (failed_ms);

-- The journal: append-only lines whose sum is zero per event and asset. An event is the lines with its id.
create table entries
(
    event_id text not null,
    -- `payer:<address>`, `held:<address>`, `chain:<network>`, `revenue:<agent>`.
    account text not null,
    asset text not null,
    -- Signed, `-100000000000000` leaves the account. Summed in Rust, in 256 bits; no database sums text.
    amount text not null,
    -- `settle`: an authorization's deposit and its run's capture in one, `chain:…` to `revenue:…`.
    kind text not null check (kind in ('deposit', 'hold', 'capture', 'release', 'settle')),
    at_ms bigint not null,
    -- What it was for: a deposit's own event, or a run's; a settlement is both.
    deposit_id text references deposits,
    run_id text references runs,
    primary key (event_id, account, asset),
    check ((deposit_id is null) = (kind not in ('deposit', 'settle'))),
    check ((run_id is null) = (kind = 'deposit'))
);

-- A payer's statement, and the audit's sum of each account.
create index entries_by_account on entries (account, event_id);
-- How many runs of a payer failed within the hour.
create index entries_of_releases on entries (account, at_ms) where kind = 'release';
-- Revenue by time range, and the audit's look from a run or a deposit to its events.
create index entries_by_run on entries (run_id, event_id);
create index entries_by_deposit on entries (deposit_id);

-- What the entries of a payer's accounts add up to. `chain:…` and `revenue:…` have no row: one that everybody writes would serialise
-- the whole shop.
create table balances
(
    account text not null check (account like 'payer:%' or account like 'held:%'),
    asset text not null,
    amount text not null check (amount not like '-%'),
    -- Counts the transactions that took the row. Taking it is the first statement of each, so they follow one another.
    version bigint not null,
    primary key (account, asset)
);

-- Wallets that showed us a payment. The row is only ever taken (updated), so that two requests of one wallet are counted one after the
-- other: counting is no constraint that a database could keep by itself. `agent:<slug>` in a wallet's place: its unsettled
-- authorizations are counted too, and taken after the wallet.
create table presenters
(
    wallet text not null primary key,
    presented_ms bigint not null
);

-- "This wallet is about to pay." While one is open, every final transfer of the wallet is booked, hash or no hash.
create table watches
(
    network text not null,
    wallet text not null,
    -- Final head when it was opened: what is above it can be the payment.
    from_block bigint not null,
    until_ms bigint not null,
    -- The run that was asked for.
    agent text not null,
    input text not null,
    -- The deposit that came while nobody had shown its hash; null again once a run used it.
    arrival_proof text,
    -- When that very run was held: what comes after it is credit, and no longer that run's payment.
    answered_ms bigint,
    primary key (network, wallet)
);

-- `arrivals` asks for a wallet on all networks.
create index watches_by_wallet on watches (wallet);

-- Where each network was read to. It never goes back.
create table cursors
(
    network text not null primary key,
    height bigint,
    -- Of the block at `height`, lower-case hex.
    hash text,
    -- That block's own time, Unix milliseconds: a watch that has ended is followed until the blocks of its time were read.
    block_time_ms bigint,
    -- A final block at this height changed: payments on this network stop until an operator looks.
    halted_height bigint,
    check ((height is null) = (hash is null))
);

-- Sessions, by the hash of their token: a copy of the database signs nobody in.
create table sessions
(
    token_sha256 text not null primary key,
    wallet text not null,
    started_ms bigint not null,
    until_ms bigint not null
);

create index sessions_by_end on sessions (until_ms);

-- Sign-in nonces that were used, until they are too old to be accepted anyway.
create table spent_nonces
(
    nonce text not null primary key,
    -- The payment that it was shown with, which may be shown with it again; empty where it began a session.
    used_for text not null,
    until_ms bigint not null
);

create index spent_nonces_by_end on spent_nonces (until_ms);

-- What must not change between two starts: `genesis/<network>`.
create table facts
(
    fact text not null primary key,
    value text not null
);

-- Roles that one instance has at a time: `follower/<network>`.
create table leases
(
    lease text not null primary key,
    holder text not null,
    until_ms bigint not null
);
