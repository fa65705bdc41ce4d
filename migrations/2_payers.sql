-- Who paid is part of what makes a payment the same one. One transaction can move coin of several accounts to us (a relayer's, a batch), so
-- the payer joins the identity of a deposit. SQLite cannot take a table's own constraint away, so the table is written anew, and with it
-- `entries`, which points to it. Every row stays as it is.

create table deposits_of_payers
(
    deposit_id text not null primary key,
    -- CAIP-2: `eip155:10143`.
    network text not null,
    -- As before; and `transfer/<token>/<hash>` for what a transaction brought in a token that no authorization tells apart.
    proof text not null,
    transaction_hash text not null,
    -- Who paid, as the chain says, not as the presenter says: the account whose coin moved to us, whoever sent the transaction.
    payer text not null,
    pay_to text not null,
    asset text not null,
    amount text not null check (amount not like '-%'),
    block bigint not null,
    block_time_ms bigint not null,
    -- As before; `found`: nobody told of it, the recipient's balance did. `hand`: an operator said whose it is (`hand_credits`).
    how text not null check (how in ('hash', 'watch', 'settlement', 'wrapped', 'found', 'hand')),
    booked_ms bigint not null,
    -- One payment of one payer, one deposit: every race ends here.
    unique (network, proof, payer)
);

insert into deposits_of_payers
    (deposit_id, network, proof, transaction_hash, payer, pay_to, asset, amount, block, block_time_ms, how, booked_ms)
select deposit_id, network, proof, transaction_hash, payer, pay_to, asset, amount, block, block_time_ms, how, booked_ms
from deposits;

create table entries_of_payers
(
    event_id text not null,
    account text not null,
    asset text not null,
    amount text not null,
    -- `move`: an operator said that a deposit is somebody else's than the account that it came from (`hand_credits`).
    kind text not null check (kind in ('deposit', 'hold', 'capture', 'release', 'settle', 'move')),
    at_ms bigint not null,
    deposit_id text references deposits_of_payers,
    run_id text references runs,
    primary key (event_id, account, asset),
    check ((deposit_id is null) = (kind not in ('deposit', 'settle', 'move'))),
    check ((run_id is null) = (kind in ('deposit', 'move')))
);

insert into entries_of_payers (event_id, account, asset, amount, kind, at_ms, deposit_id, run_id)
select event_id, account, asset, amount, kind, at_ms, deposit_id, run_id
from entries;

-- What points first, then what is pointed to. A new name is taken over by what points to it, in both databases.
drop table entries;
drop table deposits;
alter table deposits_of_payers rename to deposits;
alter table entries_of_payers rename to entries;

create unique index deposits_wrapped on deposits (network, transaction_hash) where how = 'wrapped';
-- What a transaction brought, and what was booked in some blocks: the balance of the recipient is compared with it.
create index deposits_by_transaction on deposits (network, transaction_hash);
create index deposits_by_block on deposits (network, pay_to, block);
create index entries_by_account on entries (account, event_id);
create index entries_of_releases on entries (account, at_ms) where kind = 'release';
create index entries_by_run on entries (run_id, event_id);
create index entries_by_deposit on entries (deposit_id);

-- The coin that a recipient of ours has on a chain, and up to which final block every change of it is explained: by deposits, by what left
-- in its own transactions, or by a row of `rises`. So what it has is what it had when we first looked, and what the deposits since then
-- brought, and the rises that nobody explains, less what left.
create table explained
(
    network text not null,
    pay_to text not null,
    -- When we first looked: the block, and what was there that is none of the shop's business.
    opened_height bigint not null,
    opened_balance text not null check (opened_balance not like '-%'),
    -- Up to this block, which had this hash, after which there was so much. It never goes back.
    height bigint not null,
    hash text not null,
    balance text not null check (balance not like '-%'),
    -- Transactions that the recipient had sent by then: unchanged, nothing left.
    nonce bigint not null,
    -- What left since the first look: values that it sent, and network fees that it paid.
    left_amount text not null check (left_amount not like '-%'),
    primary key (network, pay_to)
);

-- Coin that arrived, and of which the blocks themselves do not say whose it was.
create table rises
(
    rise_id text not null primary key,
    network text not null,
    pay_to text not null,
    -- It came in these blocks; in nearly all cases that is one.
    first_block bigint not null,
    last_block bigint not null,
    -- Hash of the last, lower-case hex.
    last_hash text not null,
    -- What the recipient had before the first and after the last of them, and how many transactions it had sent: to look once more.
    before_balance text not null,
    before_nonce bigint not null,
    after_balance text not null,
    after_nonce bigint not null,
    -- What is said to have left in them.
    left_amount text not null check (left_amount not like '-%'),
    -- What is still unexplained.
    amount text not null check (amount not like '-%'),
    -- `open`: no node of ours traces, or none has the state. `nobody`: traced, and no call brought it: a withdrawal, a block's reward, the end of
    -- a contract. `booked`: it has its payers.
    state text not null check (state in ('open', 'nobody', 'booked')),
    found_ms bigint not null,
    ended_ms bigint,
    unique (network, pay_to, last_block),
    check ((ended_ms is null) = (state = 'open'))
);

-- Those are looked at again and again; few are open.
create index rises_open on rises (network, found_ms) where state = 'open';

-- What an operator credited, where the chain does not say whose it is (`coinslot credit`): once for each payer.
create table hand_credits
(
    -- Of that payer; or of the contract that handed it on, from whose credit it was moved.
    deposit_id text not null references deposits,
    payer text not null,
    amount text not null check (amount not like '-%'),
    -- Who did: the system's user, or the name that was given.
    credited_by text not null,
    at_ms bigint not null,
    primary key (deposit_id, payer)
);
