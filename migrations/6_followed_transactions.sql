-- Transactions that were shown beside something that is no call: another method, no body, an input that cannot be used. No run can be
-- made of it, but the money was sent: whoever showed it proved to be a wallet, so the transaction is followed until a final block has it, and
-- what it brought is booked to the account that it came from. Nothing of what was asked for is kept.
create table followed_transactions
(
    network text not null,
    -- `tx/<hash>`, as in `deposits` and `runs`.
    proof text not null,
    -- The wallet that showed it, as its session or its signature says. Counted among its payments that nobody has seen; whose the money is,
    -- the chain says.
    presenter text not null,
    -- When it was last shown to us.
    shown_ms bigint not null,
    primary key (network, proof, presenter)
);

-- How many a wallet has.
create index followed_transactions_by_presenter on followed_transactions (presenter, shown_ms);
-- What the sweep forgets.
create index followed_transactions_by_time on followed_transactions (shown_ms);
