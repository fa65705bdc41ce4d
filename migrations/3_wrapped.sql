-- A stranger's contract may carry out what several payers signed in one transaction, and several of one payer. Each transfer in it pays for one
-- authorization of its payer: `place` says which of the equal ones a deposit is, from 0. Without the payer (as `deposits_wrapped` was), only
-- the first of them all was ever booked.
alter table deposits add column place bigint not null default 0;

drop index if exists deposits_wrapped;

-- What moved once pays for one authorization, however many it used up: two that are booked at once for the same transfer end here.
create unique index deposits_wrapped_of_payer on deposits (network, transaction_hash, payer, asset, amount, pay_to, place) where how = 'wrapped';

-- Attempts that ended by the agent's own fault, since the run was last held. Those that a restart took with it are in `attempts` only: an
-- input is not known to break its agent because a machine was switched off.
alter table runs add column broke bigint not null default 0;
