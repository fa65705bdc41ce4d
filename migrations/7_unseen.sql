-- Wallets and hashes cost nothing to make: what is looked at again and again reads few bytes, and what came to nothing is not kept for ever.

-- Everything that a look at the waiting runs needs is in here, so that it reads no row: a row begins with its input, and the columns behind that are
-- found by reading through it. `state` is always `waiting`; it stands here so that SQLite need not look for it elsewhere.
drop index runs_waiting_by_network;
create index runs_awaited on runs (network, presented_ms, run_id, proof, payer, included_block, created_ms, state) where state = 'waiting';

-- What the sweep takes the input of, and what it deletes.
create index runs_void_with_input on runs (finished_ms) where state = 'void' and input is not null;
create index runs_void on runs (finished_ms) where state = 'void';

-- Is a wallet known here?
create index sessions_by_wallet on sessions (wallet, until_ms);
