//! A ledger or a policy engine behind HTTP.
