-- A wallet has several questions open at once: two tabs, two agents. A watch is one call's, no longer one wallet's.

alter table watches rename to watches_of_wallets;

create table watches
(
    watch_id text not null primary key,
    network text not null,
    wallet text not null,
    -- Final head when it was opened: what is above it can be the payment.
    from_block bigint not null,
    until_ms bigint not null,
    -- The run that was asked for. With the wallet and the network it is what makes it the same watch; the input is too long for a key.
    agent text not null,
    input text not null,
    -- What the wallet was asked for, in atomic units: of two calls, the payment is for the one of its amount. Null: nobody said.
    amount text,
    -- The number of the wallet's next transaction when it was opened, as a node told. Where no node shows what waits, a payment whose number nobody
    -- knows has this one or a later one.
    next_nonce bigint,
    -- Of two that could be meant, the older one is: wallets ask in order.
    opened_ms bigint not null,
    -- The deposit that came while nobody had shown its hash; null again once a run used it.
    arrival_proof text,
    -- When its payment was used, or that very run was held: what comes after it is credit, and no longer that run's payment.
    answered_ms bigint
);

insert into watches (watch_id, network, wallet, from_block, until_ms, agent, input, amount, opened_ms, arrival_proof, answered_ms)
select network || '/' || wallet, network, wallet, from_block, until_ms, agent, input, null, until_ms - 900000, arrival_proof, answered_ms
from watches_of_wallets;

drop table watches_of_wallets;

create index watches_by_wallet on watches (wallet, network);
-- The follower asks for those that are open.
create index watches_by_end on watches (network, until_ms);

-- Payments that were shown before any block had them: what tells that another transaction of their sender took their place.
create table unseen_payments
(
    network text not null,
    -- `tx/<hash>`, as it was shown.
    proof text not null,
    payer text not null,
    -- The sender's number of it, as a node told while it waited. Whatever transaction of the sender has this number ends all others.
    nonce bigint,
    -- The payment that took its place: whoever shows the first one means this one. Its run has this proof now.
    replaced_by text,
    primary key (network, proof, payer)
);

-- What a payer's waiting run may have been paid with instead.
create index deposits_by_payer on deposits (payer, network, block);
