//! The backends on a real server.

mod ledger;
